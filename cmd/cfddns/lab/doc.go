// Package lab runs the program whole, as people run it, and holds no code but
// its tests. What a package promises is tested beside it; what only the whole
// can promise is tested here: in networks of its own that are made of real
// namespaces, with real servers, and with a sandbox as the internet.
//
// TestLab is the program on its defaults, on good lines and bad ones, also in a
// kernel of its own; TestBoot is the service in a booted systemd, TestImage the
// container, TestPackages what is installed. They mostly wait, so they run side
// by side. The Budget, Scale and Beside benchmarks measure the program, the last
// one beside what Debian has.
package lab
