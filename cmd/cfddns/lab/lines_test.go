//go:build linux

package lab

// The scenarios of real lines, with what brings their address.

func lineScenarios() []scenario {
	return []scenario{
		{ownKernel + "PPPoE, and power cuts", linePPPoE},
	}
}
