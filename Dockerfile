# The image holds the program, the certificate authorities and the time zones,
# and nothing else: no shell, no package, no file that can be written.
# docker (BuildKit) and podman build it alike; docs/container.md says how to run it.

# It is compiled on the machine that builds, for the machine that will run it:
# nothing is emulated.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY . .
# The first three are set by the builder; unset they mean the machine it is on.
# The history of git is not in here, so the version has to be told.
ARG TARGETOS
ARG TARGETARCH
ARG TARGETVARIANT
ARG VERSION=dev
ARG DATE
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
	CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} \
	go build -trimpath -buildvcs=false -tags=nethttpomithttp2 -gcflags=all=-l \
	-ldflags="-s -w -X main.release=$VERSION -X main.releasedOn=${DATE:-$(date -u +%F)}" \
	-o /out/cfddns ./cmd/cfddns && mkdir /out/state

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /
COPY --from=build /out/cfddns /cfddns
# An empty place for a volume: a new one takes over its owner.
COPY --from=build --chown=65532:65532 /out/state /state
# Where Go looks for time zones, which a schedule may name.
ENV ZONEINFO=/zoneinfo.zip
# So that what is said of a missing IPv6 is said of a container.
ENV container=oci
# A number, so that a runtime that forbids root can see that it is not.
USER 65532:65532
# Healthy means that the loop turns. An outage or a refused token is reported,
# and no reason to restart. The program gives up after 5 s and says why.
HEALTHCHECK --interval=60s --timeout=10s --start-period=10s CMD ["/cfddns", "healthcheck"]
ENTRYPOINT ["/cfddns"]
CMD ["run"]
