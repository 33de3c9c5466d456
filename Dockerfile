# The image holds the program, the certificate authorities and the time zones,
# and nothing else: no shell, no package, no file that can be written.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG DATE
RUN CGO_ENABLED=0 go build -trimpath -tags=nethttpomithttp2 -gcflags=all=-l \
	-ldflags="-s -w -X main.release=$VERSION -X main.releasedOn=${DATE:-$(date -u +%F)}" \
	-o /cfddns ./cmd/cfddns

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /
COPY --from=build /cfddns /cfddns
# Where Go looks for time zones, which a schedule may name.
ENV ZONEINFO=/zoneinfo.zip
# A number, so that a runtime that forbids root can see that it is not.
USER 65532:65532
# Healthy means that the loop turns. An outage or a refused token is reported,
# and no reason to restart.
HEALTHCHECK --interval=60s --timeout=5s --start-period=10s CMD ["/cfddns", "healthcheck"]
ENTRYPOINT ["/cfddns"]
CMD ["run"]
