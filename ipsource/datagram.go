package ipsource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// A lost datagram is sent again after this long, sends times in all (RFC 8489,
// section 6.2.1, doubles from 500 ms; within two seconds that is the same).
const (
	resendAfter = 500 * time.Millisecond
	sends       = 3
)

// maxDatagram is more than any answer to our questions takes, in bytes.
const maxDatagram = 1500

// exchange sends a datagram until one comes back that belongs to it, or ctx is
// done. Others are passed over: anybody may send us datagrams, and a forged
// one must not end the question.
func exchange(ctx context.Context, conn net.Conn, datagram []byte, belongs func([]byte) bool) ([]byte, error) {
	defer hangUp(ctx, conn)()
	buffer := make([]byte, maxDatagram)
	strays := 0
	for sent := 1; ; sent++ {
		if _, err := conn.Write(datagram); err != nil {
			return nil, overdue(ctx, err)
		}
		var again time.Time // zero: wait as long as ctx allows
		if sent < sends {
			again = time.Now().Add(resendAfter)
		}
		answer, passed, err := await(ctx, conn, again, buffer, belongs)
		strays += passed
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
			continue
		}
		if err != nil && strays > 0 {
			return nil, fmt.Errorf("answers that fit no question of ours came (%d): forged, or rewritten on the way: %w", strays, overdue(ctx, err))
		}
		return answer, overdue(ctx, err)
	}
}

// await reads until a datagram belongs, or the time until has come, and counts
// those that it passed over.
func await(ctx context.Context, conn net.Conn, until time.Time, buffer []byte, belongs func([]byte) bool) (answer []byte, passed int, err error) {
	if err := conn.SetReadDeadline(until); err != nil {
		return nil, 0, err
	}
	if ctx.Err() != nil { // hangUp may have come before the line above
		return nil, 0, ctx.Err()
	}
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, passed, err
		}
		if belongs(buffer[:n]) {
			return buffer[:n], passed, nil
		}
		passed++
	}
}
