//go:build linux || darwin

package blob

import "syscall"

// free tells how many bytes an owner may still write where dir is.
func free(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil // their types differ between systems
}
