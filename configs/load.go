package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"github.com/cfddns/cfddns/ddns"
)

// maxFile is the size of the largest configuration that is read: room for ten
// thousand names.
const maxFile = 1 << 20

// Find returns the path of the configuration: the flag, else $CFDDNS_CONFIG,
// else the first file that exists of $XDG_CONFIG_HOME/cfddns/cfddns.yaml
// (~/.config if unset) and /etc/cfddns/cfddns.yaml, else "". A path named by
// flag or variable is returned whether or not it exists, so that Load says
// that it is missing. The current directory is never searched: whoever owns
// it would choose the commands that are run.
func Find(flag string, env []string) string {
	vars := environment(env)
	if flag != "" {
		return flag
	}
	if named := vars[prefix+"CONFIG"]; named != "" {
		return named
	}
	home := vars["XDG_CONFIG_HOME"]
	if home == "" {
		home = filepath.Join(vars["HOME"], ".config")
	}
	for _, dir := range []string{home, "/etc"} {
		path := filepath.Join(dir, "cfddns", "cfddns.yaml")
		if !filepath.IsAbs(path) {
			continue // the XDG specification ignores these too
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path
		}
	}
	return ""
}

// Load reads the file at path ("" for none) and lays the environment over it.
// Its error is of type Problems; the configuration then is of no use. YAML is
// read with lines, JSON and TOML (by the end of the name) without.
func Load(path string, env []string) (Config, []Warning, error) {
	var data []byte
	var mode fs.FileMode
	if path != "" {
		var err error
		if data, mode, err = readFile(path); err != nil {
			return Config{}, nil, Problems{{File: path, Text: toService(err.Error(), path, env)}}
		}
	}
	return load(path, data, mode, env)
}

// load is Load of a file whose content and mode are known.
func load(path string, data []byte, mode fs.FileMode, env []string) (Config, []Warning, error) {
	vars := environment(env)
	l := loader{
		path:    path,
		viper:   viper.NewWithOptions(viper.KeyDelimiter(delimiter)),
		tree:    tree{lines: map[string]int{}},
		refused: map[string]bool{},
	}
	if path != "" {
		if problems := l.parse(data); len(problems) > 0 {
			return Config{}, nil, problems.sorted()
		}
	}
	openToAll := mode.Perm()&othersRead != 0
	var warnings []Warning
	var unfit []unfitVariable
	l.set, warnings, unfit = setFromEnv(l.viper, vars)
	for _, p := range unfit {
		l.refused[p.path] = true
		l.problems = append(l.problems, p.Problem)
	}
	c := Default()
	l.decode(&c)
	_, c.ByVariable = l.set["records"]
	for i, r := range c.Records {
		c.Records[i] = r.completed(c.Defaults)
	}
	c.Read = originOf(path, data, vars)
	fromService(&c, vars)
	pushCredential(&c.Push, vars)
	l.check(c)
	warnings = append(warnings, l.checkRoster(c)...)
	if len(l.problems) > 0 {
		return Config{}, warnings, l.problems.sorted()
	}
	if _, byVariable := l.set["cloudflare.token"]; openToAll && !byVariable && !c.Cloudflare.Token.IsZero() {
		warnings = append(warnings, Warning(path+": holds a token and can be read by every user of this "+
			"machine; "+ddns.CommandLine("chmod", "600", path)))
	}
	return c, warnings, nil
}

// fromService takes the directories that systemd made for the service.
func fromService(c *Config, vars map[string]string) {
	if c.State == "" {
		c.State, _, _ = strings.Cut(vars["STATE_DIRECTORY"], ":")
	}
	if c.Control == "" {
		c.Control = serviceSocket(vars)
	}
}

// serviceSocket is the control socket in the directory that systemd made for
// the service; "" if it made none.
func serviceSocket(vars map[string]string) string {
	dir, _, _ := strings.Cut(vars["RUNTIME_DIRECTORY"], ":")
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "control.sock")
}

// loader is the work of one Load.
type loader struct {
	path     string
	viper    *viper.Viper
	tree     tree
	set      map[string]string // path to the variable that set it
	refused  map[string]bool   // paths that have a problem
	problems Problems
}

// readFile returns the content and the mode of the configuration file.
func readFile(path string) ([]byte, fs.FileMode, error) {
	file, err := readUpTo(path, maxFile, readPatience)
	switch {
	case err != nil:
		return nil, 0, unreadable(err)
	case len(file.data) > maxFile:
		return nil, 0, wrongf("is larger than %d bytes; is it a configuration?", maxFile)
	}
	return file.data, file.mode, nil
}

// mayNotRead is said of a file that is another user's.
const mayNotRead = "this user may not read it; change its owner or its mode"

// toService says it for a service, whose user is made up at each start and can
// own nothing. Our units have a state directory, which systemd names to them
// alone (systemd.exec(5)); much else of theirs is handed down to terminals.
func toService(text, path string, env []string) string {
	if text != mayNotRead || environment(env)["STATE_DIRECTORY"] == "" {
		return text
	}
	return fmt.Sprintf("the service runs as a user of its own, who may not read it: %s; %s; systemctl restart cfddns "+
		"(a token in it belongs in %s, mode 600)",
		ddns.CommandLine("chmod", "755", filepath.Dir(path)), ddns.CommandLine("chmod", "644", path), unitTokens()[0])
}

// unreadable says why a file cannot be read and what to do, without its path.
func unreadable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wrong("there is no such file; write it, or name another")
	case errors.Is(err, fs.ErrPermission):
		return wrong(mayNotRead)
	}
	if said, ok := errors.AsType[wrong](err); ok {
		return said
	}
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	return fmt.Errorf("it cannot be read: %w", err)
}

// parse reads the file into viper and holds it against the type Config.
// Problems that it returns leave nothing to go on with.
func (l *loader) parse(data []byte) Problems {
	root := &yaml.Node{Kind: yaml.MappingNode}
	format := strings.TrimPrefix(strings.ToLower(filepath.Ext(l.path)), ".")
	switch format {
	case "json", "toml":
	case "yaml", "yml", "":
		format = "yaml"
		var problem *Problem
		if root, problem = mappingOf(data); problem != nil {
			problem.File = l.path
			return Problems{*problem}
		}
	default:
		return Problems{{File: l.path, Text: "a name that ends with ." + format + " is no configuration; .yaml, .json and .toml are"}}
	}
	l.viper.SetConfigType(format)
	if problem := notUTF8(data); problem != nil {
		problem.File = l.path
		return Problems{*problem}
	}
	if err := l.viper.ReadConfig(bytes.NewReader(data)); err != nil {
		return unparsed(err, format, data).of(l.path)
	}
	if format != "yaml" {
		if err := root.Encode(l.viper.AllSettings()); err != nil {
			return unparsed(err, format, data).of(l.path)
		}
	}
	l.tree.walk("", root, reflect.TypeFor[Config]())
	for _, p := range l.tree.problems {
		p.File = l.path
		l.refused[p.Key] = true
		l.problems = append(l.problems, p)
	}
	return nil
}

// decode fills c from file and environment, exactly: whatever finds no place
// is an error.
func (l *loader) decode(c *Config) {
	err := l.viper.UnmarshalExact(c, func(d *mapstructure.DecoderConfig) {
		d.DecodeHook = convert
		d.WeaklyTypedInput = false
		d.ZeroFields = true // a list of the file replaces the default list
	})
	if err != nil && !l.addDecoded("", err) && len(l.problems) == 0 {
		// the decoder's words quote values
		l.add("", "some value has a form that no key takes; hold the file against reference.yaml")
	}
}

// addDecoded adds the problems in the tree of errors that the decoder
// returned, and reports whether there was one in our own words.
func (l *loader) addDecoded(path string, err error) bool {
	switch e := err.(type) { //nolint:errorlint // the tree is walked node by node
	case *mapstructure.DecodeError:
		return l.addDecoded(e.Name(), e.Unwrap())
	case interface{ Unwrap() []error }:
		ours := false
		for _, each := range e.Unwrap() {
			ours = l.addDecoded(path, each) || ours
		}
		return ours
	case interface{ Unwrap() error }:
		return l.addDecoded(path, e.Unwrap())
	case wrong:
		l.add(path, e.Error())
		return true
	}
	return false
}

// add notes a problem of a path, unless the path or one around it has one.
func (l *loader) add(path, text string) {
	for at := path; at != ""; at = parent(at) {
		if l.refused[at] {
			return
		}
	}
	l.refused[path] = true
	l.problems = append(l.problems, l.problem(path, text))
}

// problem says where a path was set: in a variable, or on a line of the file.
func (l *loader) problem(path, text string) Problem {
	text = strings.ReplaceAll(text, "\n", "; ") // of errors that were joined
	for at := path; at != ""; at = parent(at) {
		if name, ok := l.set[at]; ok {
			return Problem{Key: name, Text: text}
		}
	}
	return Problem{File: l.path, Line: l.tree.line(path), Key: path, Text: text}
}
