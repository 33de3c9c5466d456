package configs

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/idna"
)

// Edit changes the list of names in a configuration file: Remove takes entries
// out, Add puts entries at its end. All else in the file stays as it is, every
// comment and every byte of it.
type Edit struct {
	Add    []Record // of which name, types, proxied and ttl are written
	Remove []string // names, in any spelling

	types []string // of an entry that names none; nil is A
}

// besideDefaults returns the edit with all said that the file's defaults, or
// those of the environment, would otherwise say, and the types of an entry that
// names none. A service may run without the variables of this shell, so that
// neither may change what an entry means.
func (e Edit) besideDefaults(path string, old []byte, mode fs.FileMode, env []string) Edit {
	usual := true
	for _, env := range [][]string{nil, env} {
		if c, _, err := load(path, old, mode, env); err == nil { // else the new file is refused, with the reason
			e.types, usual = c.Defaults.Types, usual && c.Defaults.usual()
		}
	}
	if usual {
		return e
	}
	e.Add = saidBy(Defaults{}, e.Add)
	return e
}

// apply returns the text of the changed file. What it returns was read again:
// it holds the old names without the removed ones, then the new ones, and
// everything else as before.
func (e Edit) apply(old []byte) ([]byte, error) {
	root, err := rootOf(old)
	if err != nil {
		return nil, err
	}
	remove := e.places(root)
	add := e.missing(root, remove)
	if len(remove) == 0 && len(add) == 0 {
		return old, nil
	}
	if text := spliced(old, root, remove, add); holds(text, root, remove, add) {
		return text, nil
	}
	text, err := encoded(root, remove, add) // flow style, or something odd: the tree is written anew
	if err != nil || !holds(text, root, remove, add) {
		return nil, errors.Join(wrong("its list of names is written in a way that cannot be edited safely; nothing was changed"), err)
	}
	return text, nil
}

// rootOf returns the mapping that a file is; an empty file is one without keys.
func rootOf(data []byte) (*yaml.Node, error) {
	root, problem := mappingOf(data)
	if problem != nil {
		return nil, *problem
	}
	return root, nil
}

// value returns the value of a key, and where its key is; -1 if it is not there.
func value(mapping *yaml.Node, key string) (at int, node *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return i, mapping.Content[i+1]
		}
	}
	return -1, nil
}

// entries are the entries of the list of names.
func entries(root *yaml.Node) []*yaml.Node {
	if _, list := value(root, "records"); list != nil && list.Kind == yaml.SequenceNode {
		return list.Content
	}
	return nil
}

// entryName is the normalised name of an entry; "" if it has none.
func entryName(entry *yaml.Node) string {
	if entry.Kind == yaml.AliasNode {
		entry = entry.Alias
	}
	if entry.Kind != yaml.MappingNode {
		return ""
	}
	if _, name := value(entry, "name"); name != nil {
		normal, err := domainName(name.Value)
		if err == nil {
			return normal
		}
	}
	return ""
}

// places are the entries to remove, by their places.
func (e Edit) places(root *yaml.Node) map[int]bool {
	unwanted := map[string]bool{}
	for _, name := range e.Remove {
		if normal, err := domainName(name); err == nil {
			unwanted[normal] = true
		}
	}
	places := map[int]bool{}
	for i, entry := range entries(root) {
		if unwanted[entryName(entry)] {
			places[i] = true
		}
	}
	return places
}

// missing are the records to add that no entry names already. A name that is
// listed for another type is added for the new one alone.
func (e Edit) missing(root *yaml.Node, removed map[int]bool) (add []Record) {
	listed := map[string]bool{}
	for i, entry := range entries(root) {
		if removed[i] {
			continue
		}
		types := e.types
		if types == nil {
			types = []string{"A"}
		}
		if _, list := value(entry, "types"); list != nil && list.Kind == yaml.SequenceNode {
			types = nil
			for _, t := range list.Content {
				types = append(types, t.Value)
			}
		}
		for _, t := range types {
			listed[entryName(entry)+" "+t] = true
		}
	}
	for _, r := range e.Add {
		name, err := domainName(r.Name)
		r.Types = slices.DeleteFunc(slices.Clone(r.completed(Default().Defaults).Types), func(t string) bool {
			return err != nil || listed[name+" "+t]
		})
		if len(r.Types) > 0 {
			add = append(add, r)
		}
	}
	return add
}

// encoded writes the tree anew. Comments and order stay; spacing does not.
func encoded(root *yaml.Node, remove map[int]bool, add []Record) ([]byte, error) {
	changed := *root
	changed.Content = slices.Clone(root.Content)
	at, list := value(&changed, "records")
	if at < 0 || list.Kind != yaml.SequenceNode {
		return nil, wrong("records is no list")
	}
	edited := *list
	edited.Content = nil
	for i, entry := range list.Content {
		if !remove[i] {
			edited.Content = append(edited.Content, entry)
		}
	}
	var more []yaml.Node
	if err := yaml.Unmarshal([]byte(entryLines(add, "")), &more); err != nil {
		return nil, err
	}
	for i := range more {
		edited.Content = append(edited.Content, &more[i])
	}
	changed.Content[at+1] = &edited
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	err := e.Encode(&changed)
	return b.Bytes(), errors.Join(err, e.Close())
}

// holds reports whether a text holds just what was meant: the entries that
// stay, then the new ones, and every other key as it was.
func holds(text []byte, root *yaml.Node, remove map[int]bool, add []Record) bool {
	now, err := rootOf(text)
	if err != nil {
		return false
	}
	var want []*yaml.Node
	for i, entry := range entries(root) {
		if !remove[i] {
			want = append(want, entry)
		}
	}
	var more []yaml.Node
	if err := yaml.Unmarshal([]byte(entryLines(add, "")), &more); err != nil {
		return false
	}
	for i := range more {
		want = append(want, &more[i])
	}
	return slices.EqualFunc(entries(now), want, sameNode) && slices.EqualFunc(besideNames(now), besideNames(root), sameNode)
}

// besideNames are all keys and values but the list of names.
func besideNames(root *yaml.Node) (nodes []*yaml.Node) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "records" {
			nodes = append(nodes, root.Content[i], root.Content[i+1])
		}
	}
	return nodes
}

// sameNode compares what two trees say, not how they are written.
func sameNode(a, b *yaml.Node) bool {
	if a.Kind == yaml.AliasNode && b.Kind == yaml.AliasNode {
		return a.Value == b.Value
	}
	return a.Kind == b.Kind && a.Tag == b.Tag && a.Value == b.Value && a.Anchor == b.Anchor && slices.EqualFunc(a.Content, b.Content, sameNode)
}

// Shown spells a name as people write it: Unicode in place of Punycode, where
// that comes back to the same name.
func Shown(name string) string {
	rest, wildcard := strings.CutPrefix(name, "*.")
	text, err := idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.CheckHyphens(false)).ToUnicode(rest)
	if wildcard {
		text = "*." + text
	}
	if normal, again := domainName(text); err != nil || again != nil || normal != name {
		return name
	}
	return text
}

// Name turns a name as a person writes it into the form in which names are
// compared, or says what is wrong with it.
func Name(shown string) (string, error) { return domainName(shown) }
