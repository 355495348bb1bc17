// Package blob takes in files of strangers, looks at what they really are, makes
// them harmless and keeps their bytes. It owns the list of kinds that are taken,
// the re-encoding of pictures, and the folder below data_dir.
//
// It refuses to know meetings: a file is bytes under a Key, and whether anybody
// still needs them is asked through Known. Intake and Folder start no goroutine;
// Folder.Run sweeps until its ctx ends.
package blob
