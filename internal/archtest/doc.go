// Package archtest holds the tests of the house rules that a compiler does not
// know: which package may import which, who may touch the terminal, and how
// long files and functions get. It has no code of its own.
package archtest
