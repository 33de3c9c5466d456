package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// writeSBOM writes the bill of materials, in the same bytes for the same program.
func writeSBOM(path string, p program) error {
	at, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH is no number of seconds, so the bill of materials has no date: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	bom := bill(p, time.Unix(at, 0))
	err = cdx.NewBOMEncoder(file, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	return errors.Join(err, file.Close())
}

func bill(p program, at time.Time) *cdx.BOM {
	bom := cdx.NewBOM()
	bom.SerialNumber = "urn:uuid:" + uuid(p.sum[:])
	self := cdx.Component{
		BOMRef: p.info.Main.Path, Type: cdx.ComponentTypeApplication, Name: "cfddns", Version: p.version,
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
		Hashes:   &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: p.digest()}},
		Properties: &[]cdx.Property{{Name: "go:platform", Value: p.platform},
			{Name: "go:version", Value: p.info.GoVersion}, {Name: "go:tags", Value: p.setting("-tags")}},
	}
	bom.Metadata = &cdx.Metadata{Timestamp: at.UTC().Format(time.RFC3339), Component: &self}
	parts := []cdx.Component{part("std", p.goVersion(), "")}
	for _, m := range p.modules {
		parts = append(parts, part(m.Path, m.Version, m.Sum))
	}
	refs := make([]string, 0, len(parts))
	for _, c := range parts {
		refs = append(refs, c.BOMRef)
	}
	bom.Components = &parts
	bom.Dependencies = &[]cdx.Dependency{{Ref: self.BOMRef, Dependencies: &refs}}
	return bom
}

// part is a module, or the standard library. Its sum is that of go.sum: a
// SHA-256 over the names and sums of its files, so no hash of one file.
// The form of its purl: https://github.com/package-url/purl-spec
func part(path, version, sum string) cdx.Component {
	purl := "pkg:golang/" + strings.ToLower(path) + "@" + version
	c := cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl}
	if raw, ok := strings.CutPrefix(sum, "h1:"); ok {
		if _, err := base64.StdEncoding.DecodeString(raw); err == nil {
			c.Properties = &[]cdx.Property{{Name: "go:sum", Value: sum}}
		}
	}
	return c
}

// uuid makes a UUID of a digest: version 8, whose bits are ours (RFC 9562, 5.8).
func uuid(sum []byte) string {
	u := append([]byte(nil), sum[:16]...)
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	h := hex.EncodeToString(u)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
