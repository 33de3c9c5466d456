package sandbox

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// ca is the certificate authority of one sandbox. It lives in memory, signs
// whatever host it is asked for, and is believed by nobody who was not told.
type ca struct {
	cert *x509.Certificate
	key  crypto.Signer

	mu     sync.Mutex
	issued map[string]tls.Certificate // certificates made on demand, by host
}

// newCA makes an authority that is valid from a day ago for a year. The clock
// is read here and not earlier, so that it suits simulated time as well.
func newCA() (*ca, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the authority's key: %w", err)
	}
	template, err := newTemplate("cfddns sandbox authority")
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing the authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the authority back: %w", err)
	}
	return &ca{cert: cert, key: key, issued: make(map[string]tls.Certificate)}, nil
}

func newTemplate(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{"cfddns sandbox"}},
		NotBefore:    now.AddDate(0, 0, -1),
		NotAfter:     now.AddDate(1, 0, 0),
	}, nil
}

// certificate makes a certificate for hosts, which are DNS names (wildcards
// too) or addresses. The first is its common name.
func (c *ca) certificate(hosts ...string) (tls.Certificate, error) { return c.sign(0, hosts...) }

// sign makes a certificate that is valid for good, or ended some time ago.
func (c *ca) sign(left time.Duration, hosts ...string) (tls.Certificate, error) {
	if len(hosts) == 0 {
		return tls.Certificate{}, fmt.Errorf("making a certificate: no host named")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a key for %s: %w", hosts[0], err)
	}
	template, err := newTemplate(hosts[0])
	if err != nil {
		return tls.Certificate{}, err
	}
	if left < 0 {
		template.NotAfter = time.Now().Add(left)
		template.NotBefore = template.NotAfter.AddDate(0, -1, 0)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, key.Public(), c.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("signing a certificate for %s: %w", hosts[0], err)
	}
	return tls.Certificate{Certificate: [][]byte{der, c.cert.Raw}, PrivateKey: key}, nil
}

// certificateFor returns the certificate of one host, made at the first
// demand and kept.
func (c *ca) certificateFor(host string) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cert, ok := c.issued[host]; ok {
		return &cert, nil
	}
	cert, err := c.certificate(host)
	if err != nil {
		return nil, err
	}
	c.issued[host] = cert
	return &cert, nil
}

// expired makes a certificate of one host that ended yesterday.
func (c *ca) expired(host string) (*tls.Certificate, error) {
	cert, err := c.sign(-24*time.Hour, host)
	return &cert, err
}

// PEM returns the authority's certificate, for a client's list of roots.
func (c *ca) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

// pool returns the roots of a client that believes this authority alone.
func (c *ca) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.cert)
	return pool
}
