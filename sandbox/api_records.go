package sandbox

import "encoding/json"

// recordView is a record as the API shows it.
// https://developers.cloudflare.com/api/resources/dns/subresources/records/
type recordView struct {
	ID                string          `json:"id"`
	Name              string          `json:"name"`
	Type              string          `json:"type"`
	Content           string          `json:"content"`
	Priority          *int            `json:"priority,omitempty"`
	Data              json.RawMessage `json:"data,omitempty"`
	Proxiable         bool            `json:"proxiable"`
	Proxied           bool            `json:"proxied"`
	PrivateRouting    bool            `json:"private_routing,omitempty"`
	TTL               int             `json:"ttl"`
	Settings          json.RawMessage `json:"settings"`
	Meta              recordMeta      `json:"meta"`
	Comment           string          `json:"comment"`
	Tags              []string        `json:"tags"`
	CreatedOn         string          `json:"created_on"`
	ModifiedOn        string          `json:"modified_on"`
	CommentModifiedOn string          `json:"comment_modified_on,omitempty"`
	TagsModifiedOn    string          `json:"tags_modified_on,omitempty"`
}

func showRecord(r *record) recordView {
	view := recordView{
		ID: r.ID, Name: r.Name, Type: r.Type, Content: r.Content, Priority: r.Priority, Data: r.Data,
		Proxiable: r.proxiable(), Proxied: r.Proxied, PrivateRouting: r.Private, TTL: r.TTL,
		Settings: r.Settings, Comment: r.Comment, Tags: r.Tags, CreatedOn: showTime(r.Created), ModifiedOn: showTime(r.Modified),
	}
	if view.Settings == nil {
		view.Settings = json.RawMessage("{}")
	}
	if view.Tags == nil {
		view.Tags = []string{}
	}
	if r.Comment != "" {
		view.CommentModifiedOn = showTime(r.CommentModified)
	}
	if len(r.Tags) > 0 {
		view.TagsModifiedOn = showTime(r.TagsModified)
	}
	return view
}

func showRecords(records []*record) []recordView {
	views := make([]recordView, len(records))
	for i, r := range records {
		views[i] = showRecord(r)
	}
	return views
}

// recordsOf returns a call's zone with its records, which stay as they are
// however the zone changes.
func (s *Sandbox) recordsOf(c *call) (zone, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.zone(c)
	if err != nil {
		return zone{}, err
	}
	return *z, nil
}

func (s *Sandbox) listRecords(c *call) answer {
	z, err := s.recordsOf(c)
	if err != nil {
		return failed(err)
	}
	all := z.Records
	query := c.URL.Query()
	p, err := readPaging(query, pageLimits{usual: 100, least: 1, most: 5_000_000})
	if err != nil {
		return failed(err)
	}
	filter, err := readFilter(query)
	if err != nil {
		return failed(err)
	}
	var found []*record
	for _, r := range all {
		if filter(r) {
			found = append(found, r)
		}
	}
	if err := sortRecords(found, query.Get("order"), query.Get("direction")); err != nil {
		return failed(err)
	}
	page, info := cut(found, p)
	views := showRecords(page)
	if query.Get("include_shadow_metadata") == "true" {
		showShadows(views, all, z.Name)
	}
	return answer{result: views, info: info}
}

func (s *Sandbox) getRecord(c *call) answer {
	z, err := s.recordsOf(c)
	if err != nil {
		return failed(err)
	}
	id := c.PathValue("record")
	if !identifier.MatchString(id) {
		return s.noRoute(c)
	}
	for _, r := range z.Records {
		if r.ID == id {
			return answer{result: showRecord(r)}
		}
	}
	return failed(errNoRecord())
}

func (s *Sandbox) getUsage(c *call) answer {
	z, err := s.recordsOf(c)
	if err != nil {
		return failed(err)
	}
	p, _ := planNamed(z.Plan)
	return answer{result: map[string]int{"record_quota": p.records, "record_usage": len(z.Records)}}
}

// change runs one transaction on a call's zone, and keeps what it did if it
// ends without an error.
func (s *Sandbox) change(c *call, f func(*transaction) (any, error)) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.zone(c)
	if err != nil {
		return failed(err)
	}
	t := begin(z, c.now)
	result, err := f(t)
	if err != nil {
		return failed(err)
	}
	t.commit()
	return answer{result: result}
}

// changeOne is a change of the one record that the path names.
func (s *Sandbox) changeOne(c *call, f func(t *transaction, id string) (any, error)) answer {
	id := c.PathValue("record")
	if !identifier.MatchString(id) {
		return s.noRoute(c)
	}
	return s.change(c, func(t *transaction) (any, error) { return f(t, id) })
}

func (s *Sandbox) createRecord(c *call) answer {
	var body fields
	if err := c.body(&body); err != nil {
		return failed(err)
	}
	return s.change(c, func(t *transaction) (any, error) { return shown(t.post(body)) })
}

func (s *Sandbox) patchRecord(c *call) answer {
	var body fields
	if err := c.body(&body); err != nil {
		return failed(err)
	}
	return s.changeOne(c, func(t *transaction, id string) (any, error) { return shown(t.patch(id, body)) })
}

func (s *Sandbox) putRecord(c *call) answer {
	var body fields
	if err := c.body(&body); err != nil {
		return failed(err)
	}
	return s.changeOne(c, func(t *transaction, id string) (any, error) { return shown(t.put(id, body)) })
}

func (s *Sandbox) deleteRecord(c *call) answer {
	return s.changeOne(c, func(t *transaction, id string) (any, error) {
		_, err := t.delete(id)
		return map[string]string{"id": id}, err
	})
}

func shown(r *record, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return showRecord(r), nil
}

// batch is a list of operations that are done in the order of its fields, or
// not at all.
type batch struct {
	Deletes []fields `json:"deletes"`
	Patches []fields `json:"patches"`
	Puts    []fields `json:"puts"`
	Posts   []fields `json:"posts"`
}

// batchView answers with null for a kind of operation that was not asked for.
type batchView struct {
	Deletes []recordView `json:"deletes"`
	Patches []recordView `json:"patches"`
	Puts    []recordView `json:"puts"`
	Posts   []recordView `json:"posts"`
}

func (s *Sandbox) batchRecords(c *call) answer {
	var b batch
	if err := c.body(&b); err != nil {
		return failed(err)
	}
	return s.change(c, b.run)
}

// run ends at the first mistake, which is the one that is answered.
func (b batch) run(t *transaction) (any, error) {
	if n := len(b.Deletes) + len(b.Patches) + len(b.Puts) + len(b.Posts); n > t.plan.batch {
		return nil, invalid(81059, "Batch has %d operations, exceeding the limit of %d.", n, t.plan.batch)
	}
	var v batchView
	steps := []struct {
		operations []fields
		do         func(fields) (*record, error)
		into       *[]recordView
	}{
		{b.Deletes, func(f fields) (*record, error) { return t.delete(f.id()) }, &v.Deletes},
		{b.Patches, func(f fields) (*record, error) { return t.patch(f.id(), f) }, &v.Patches},
		{b.Puts, func(f fields) (*record, error) { return t.put(f.id(), f) }, &v.Puts},
		{b.Posts, t.post, &v.Posts},
	}
	for _, step := range steps {
		views, err := each(step.operations, step.do)
		if err != nil {
			return nil, err
		}
		*step.into = views
	}
	return v, nil
}

func each(operations []fields, do func(fields) (*record, error)) ([]recordView, error) {
	if operations == nil {
		return nil, nil
	}
	views := make([]recordView, 0, len(operations))
	for _, f := range operations {
		r, err := do(f)
		if err != nil {
			return nil, err
		}
		views = append(views, showRecord(r))
	}
	return views, nil
}
