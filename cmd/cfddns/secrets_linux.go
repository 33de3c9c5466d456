package main

import "golang.org/x/sys/unix"

// hideMemory closes the memory and the environment of this process, where the
// token is, to other processes of the same user, such as the commands of
// ip.sources and notify:. They could read both in /proc, or attach a debugger
// (ptrace(2)); root still can. No core is written either. What is executed from
// here is open again (PR_SET_DUMPABLE in prctl(2)), and has no token.
func hideMemory() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // an old kernel or a sandbox may refuse: nothing hangs on it
}
