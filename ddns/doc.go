// Package ddns decides what DNS should say about a home, and proves that it does.
//
// One round goes in a straight line:
//
//	observe + look → vote → hold → plan → apply → verify → assess   =  one Round
//
//	observe  asks sources what our address is                      observe.go
//	look     reads what the records at Cloudflare are              look.go, hop.go
//	vote     a quorum of operators, or nothing                     vote.go
//	hold     what speaks against publishing it now                 hold.go, contest.go
//	plan     the changes that turn records into targets            plan.go, planrecord.go
//	apply    one batch a zone; what was confirmed                  apply.go, settle.go
//	verify   what the zone's nameservers and the edge answer       verify.go, prove.go
//	assess   what is wrong, as data                                condition.go
//
// Runner.Round in round.go shows all stages in order and is the place to start
// reading; Loop in loop.go decides when to round, pace.go how soon again. Each
// stage takes the values before it and returns a new one. Vote, hold, plan and
// assess are pure: no clock, no network, no log.
//
// Beside that line stand:
//
//	hops       CNAMEs that leave for a DDNS host                   hop.go, hopwatch.go, unkept.go
//	migrate    what such CNAMEs would become, and the way back     migrate.go, migrateback.go
//	way in     the skip rule of a script host, kept right          wayin.go, wayinkeep.go
//	WAN        what the router says of the line                    wan.go, wanask.go
//
// Unknown is a value here. A detection that failed is never "no address", a
// listing that failed is never "no records", and no path leads from an error
// to a deletion or a creation. What is remembered (memory.go, remember.go) is what was
// confirmed, never what was wished.
//
// The package imports the standard library only. The network comes in as a
// World, Cloudflare as an API, each source as a function; what a round left
// behind is read by the packages below and by cmd.
package ddns
