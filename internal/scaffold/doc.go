// Package scaffold makes a repository deployable: it detects the stack, renders
// the files of templates/ for it, and writes those that are not there yet.
//
// The order is always Detect, Plan, Apply. Detect reads and explains itself,
// Plan compares what it would write with what stands there, and Apply writes;
// a file of the user's that differs is never overwritten unless they say so.
package scaffold
