package media

import (
	"testing"

	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
