package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/cloudflare/cloudflare-go/v7/accounts"
	"github.com/cloudflare/cloudflare-go/v7/dns"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/user"
	"github.com/cloudflare/cloudflare-go/v7/zones"
)

// official are Cloudflare's own Go client's services, pointed at a sandbox and
// otherwise as they come.
func official(s *Sandbox) []option.RequestOption {
	return []option.RequestOption{option.WithBaseURL(s.Info().API), option.WithAPIToken(testToken)}
}

func TestOfficialClientLivesHere(t *testing.T) {
	s := running(t, Config{Token: testToken, Zones: []SeedZone{{Name: "example.com", Plan: "pro", Records: manyRecords(250)}}})
	ctx := withDeadline(t)

	var query zones.ZoneListParams
	query.Name.Value, query.Name.Present = "example.com", true
	page, err := zones.NewZoneService(official(s)...).List(ctx, query)
	if err != nil || len(page.Result) != 1 {
		t.Fatalf("zones: %v %v", page, err)
	}
	zone := page.Result[0]
	if zone.ID != s.zones[0].ID || zone.Status != zones.ZoneStatusActive || len(zone.NameServers) != 2 || zone.CreatedOn.IsZero() {
		t.Errorf("zone: %+v", zone)
	}
	records := dns.NewRecordService(official(s)...)
	t.Run("it creates, edits, overwrites and deletes", func(t *testing.T) { officialLife(ctx, t, records, zone.ID) })
	t.Run("it lists page after page", func(t *testing.T) {
		var query dns.RecordListParams
		query.ZoneID.Value, query.ZoneID.Present = zone.ID, true
		seen := make(map[string]bool)
		pages := records.ListAutoPaging(ctx, query)
		for pages.Next() {
			seen[pages.Current().ID] = true
		}
		if pages.Err() != nil || len(seen) != 250 {
			t.Errorf("%d records, %v", len(seen), pages.Err())
		}
	})
	t.Run("it replaces in one batch", func(t *testing.T) { officialBatch(ctx, t, s, records) })
	t.Run("it verifies its token", func(t *testing.T) {
		verified, err := user.NewTokenService(official(s)...).Verify(ctx)
		if err != nil || verified.Status != user.TokenVerifyResponseStatusActive {
			t.Errorf("got %+v %v", verified, err)
		}
		var query accounts.TokenVerifyParams
		query.AccountID.Value, query.AccountID.Present = zone.Account.ID, true
		if _, err := accounts.NewTokenService(official(s)...).Verify(ctx, query); err == nil {
			t.Error("a user's token was verified as one of the account")
		}
	})
	t.Run("it reads the security level", func(t *testing.T) {
		var query zones.SettingGetParams
		query.ZoneID.Value, query.ZoneID.Present = zone.ID, true
		setting, err := zones.NewSettingService(official(s)...).Get(ctx, "security_level", query)
		if err != nil || fmt.Sprint(setting.Value) != "medium" {
			t.Errorf("got %+v %v", setting, err)
		}
	})
}

func officialA(name, content string) dns.ARecordParam {
	var r dns.ARecordParam
	r.Name.Value, r.Name.Present = name, true
	r.TTL.Value, r.TTL.Present = 300, true
	r.Type.Value, r.Type.Present = dns.ARecordTypeA, true
	r.Content.Value, r.Content.Present = content, true
	return r
}

func officialLife(ctx context.Context, t *testing.T, records *dns.RecordService, zone string) {
	var create dns.RecordNewParams
	create.ZoneID.Value, create.ZoneID.Present = zone, true
	create.Body = officialA("www.example.com", "45.67.89.10")
	made, err := records.New(ctx, create)
	if err != nil || made.Content != "45.67.89.10" || made.TTL != 300 || made.CreatedOn.IsZero() || !made.Proxiable {
		t.Fatalf("created: %+v %v", made, err)
	}
	if _, err := records.New(ctx, create); !answered(err, `"code":81058`) {
		t.Errorf("created twice: %v", err)
	}
	var edit dns.RecordEditParams
	edit.ZoneID.Value, edit.ZoneID.Present = zone, true
	edit.Body = officialA("www.example.com", "45.67.89.11")
	if edited, err := records.Edit(ctx, made.ID, edit); err != nil || edited.Content != "45.67.89.11" {
		t.Errorf("edited: %+v %v", edited, err)
	}
	var put dns.RecordUpdateParams
	put.ZoneID.Value, put.ZoneID.Present = zone, true
	put.Body = officialA("www.example.com", "45.67.89.12")
	if written, err := records.Update(ctx, made.ID, put); err != nil || written.Content != "45.67.89.12" {
		t.Errorf("overwritten: %+v %v", written, err)
	}
	var one dns.RecordGetParams
	one.ZoneID.Value, one.ZoneID.Present = zone, true
	if got, err := records.Get(ctx, made.ID, one); err != nil || got.Content != "45.67.89.12" || got.Name != "www.example.com" {
		t.Errorf("read: %+v %v", got, err)
	}
	var remove dns.RecordDeleteParams
	remove.ZoneID.Value, remove.ZoneID.Present = zone, true
	if gone, err := records.Delete(ctx, made.ID, remove); err != nil || gone.ID != made.ID {
		t.Errorf("deleted: %+v %v", gone, err)
	}
	if _, err := records.Get(ctx, made.ID, one); !answered(err, `"code":81044`) {
		t.Errorf("read after the end: %v", err)
	}
}

func officialBatch(ctx context.Context, t *testing.T, s *Sandbox, records *dns.RecordService) {
	old := s.zones[0].Records[0]
	var remove dns.RecordBatchParamsDelete
	remove.ID.Value, remove.ID.Present = old.ID, true
	var batch dns.RecordBatchParams
	batch.ZoneID.Value, batch.ZoneID.Present = s.zones[0].ID, true
	batch.Deletes.Value, batch.Deletes.Present = []dns.RecordBatchParamsDelete{remove}, true
	batch.Posts.Value, batch.Posts.Present = []dns.RecordBatchParamsPostUnion{officialA("home.example.com", "45.67.89.10")}, true
	done, err := records.Batch(ctx, batch)
	if err != nil || len(done.Deletes) != 1 || done.Deletes[0].ID != old.ID || len(done.Posts) != 1 || done.Posts[0].Name != "home.example.com" {
		t.Errorf("got %+v %v", done, err)
	}
	if _, err := records.Batch(ctx, batch); !answered(err, `"code":81044`) {
		t.Errorf("the same again: %v", err)
	}
}

// answered tells whether an error of the official client comes from an answer
// that holds a text; its type has no name outside of it.
func answered(err error, text string) bool {
	var answer interface {
		error
		DumpResponse(body bool) []byte
	}
	return errors.As(err, &answer) && bytes.Contains(answer.DumpResponse(true), []byte(text))
}
