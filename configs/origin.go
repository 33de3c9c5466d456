package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"regexp"
)

// Origin says where a configuration was read, so that two processes can tell
// whether they mean the same one. It holds no secret.
type Origin struct {
	File        string            // absolute path; "" if there is only the environment
	Digest      string            // of the content of the file as it was read
	Environment map[string]string // digests of the variables that say what is kept, and for whom, by name
}

// identifying are the variables that make one configuration another: what is
// kept, and in which account.
var identifying = []string{
	prefix + "RECORDS", prefix + "OWNER", prefix + "CLOUDFLARE_API",
	prefix + "CLOUDFLARE_TOKEN", prefix + "CLOUDFLARE_TOKEN_FILE", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_TOKEN_FILE",
}

// originOf is the origin of what was read at path ("" for none).
func originOf(path string, data []byte, vars map[string]string) Origin {
	o := Origin{Environment: map[string]string{}}
	if path != "" {
		o.File, o.Digest = absolute(path), digest(data)
	}
	for _, name := range identifying {
		if value, set := vars[name]; set {
			o.Environment[name] = digest([]byte(value))
		}
	}
	return o
}

// Place is where the configuration at path ("" for none) would be read, for a
// file that could not be read as well. It has no digest.
func Place(path string, env []string) Origin {
	o := originOf(path, nil, environment(env))
	o.Digest = ""
	return o
}

// KeepsByItself reports whether the environment alone says what is kept.
func (o Origin) KeepsByItself() bool { return o.Environment[prefix+"RECORDS"] != "" }

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// digest names some content without telling it.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// controlLine finds the socket in a file that is of no other use: control is a
// key of the first level in YAML, JSON and TOML alike.
var controlLine = regexp.MustCompile(`(?m)^[ \t{]*["']?control["']?[ \t]*[:=][ \t]*["']?([^"'\s,#}]+)`)

// ControlOf is where the daemon of a configuration has its control socket, and
// whether the configuration says so. It also serves for a file that has an
// error in it: a daemon that read it before may still run.
func ControlOf(path string, env []string) (socket string, ok bool) {
	vars := environment(env)
	if named := vars[prefix+"CONTROL"]; named != "" {
		return named, true
	}
	if path != "" {
		if data, _, err := readFile(path); err == nil {
			if found := controlLine.FindSubmatch(data); found != nil && filepath.IsAbs(string(found[1])) {
				return string(found[1]), true
			}
		}
	}
	socket = serviceSocket(vars)
	return socket, socket != ""
}
