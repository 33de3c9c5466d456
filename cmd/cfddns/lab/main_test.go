package lab

import (
	"os"
	"testing"

	"github.com/cfddns/cfddns/needs"
)

func TestMain(m *testing.M) { os.Exit(needs.Main(m)) }
