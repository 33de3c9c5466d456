package sandbox

import (
	"net/url"
	"strconv"
)

// pageLimits say how large a page of a list may be.
type pageLimits struct {
	usual, least, most int
	clamp              bool // out of range is brought into it rather than refused
}

// paging is the part of a list that was asked for.
type paging struct{ page, size int }

func readPaging(query url.Values, limits pageLimits) (paging, error) {
	p := paging{page: 1, size: limits.usual}
	for name, into := range map[string]*int{"page": &p.page, "per_page": &p.size} {
		if !query.Has(name) {
			continue
		}
		n, err := strconv.Atoi(query.Get(name))
		if err != nil {
			return p, badParameter(name, "a whole number")
		}
		*into = n
	}
	if limits.clamp {
		p.page, p.size = max(p.page, 1), min(max(p.size, limits.least), limits.most)
	}
	if p.page < 1 {
		return p, badParameter("page", "1 or more")
	}
	if p.size < limits.least || p.size > limits.most {
		return p, badParameter("per_page", strconv.Itoa(limits.least)+" to "+strconv.Itoa(limits.most))
	}
	return p, nil
}

// cut returns one page of a list; beyond the last it is empty.
func cut[T any](list []T, p paging) ([]T, *resultInfo) {
	info := &resultInfo{
		Page:       p.page,
		PerPage:    p.size,
		TotalCount: len(list),
		TotalPages: (len(list) + p.size - 1) / p.size,
	}
	page := []T{}
	if p.page <= info.TotalPages {
		from := (p.page - 1) * p.size
		page = list[from:min(from+p.size, len(list))]
	}
	info.Count = len(page)
	return page, info
}
