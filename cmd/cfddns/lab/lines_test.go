//go:build linux

package lab

// The scenarios of real lines, with what brings their address.

func lineScenarios() []scenario {
	return []scenario{
		{ownKernel + "PPPoE, and power cuts", linePPPoE},
		{"the line comes up long after the machine", lineComesLate},
		{"another DHCP lease", lineDHCP},
		{"a router behind a router", lineDoubleNAT},
		{"a router that names the private address of its line", doubleNATSaid},
		{"a line that drops large greetings", lineDropsLargeHellos},
		{"IPv6 is switched off", lineWithoutIPv6},
	}
}
