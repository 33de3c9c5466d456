//go:build !unix || aix || solaris

package journal

// alone does something; here nobody is kept from doing it at the same time.
func alone(_ string, do func() error) error { return do() }
