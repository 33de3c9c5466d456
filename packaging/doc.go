// Package packaging makes what a release consists of (see `make packages`):
// Debian, RPM and Alpine packages, tarballs, their checksums, and for each
// platform the list of what its program was linked from. It holds no code but
// its tests.
//
// build is the way from the source to the files; version turns what git says
// into numbers that package managers sort right; nfpm.yaml says what lies where;
// tools is a module of its own, so that nothing of it is a dependency of the
// program.
package packaging
