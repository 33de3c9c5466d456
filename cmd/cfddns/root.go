package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// app is what every command shares: the outside of the process, and the flags
// that every command takes.
type app struct {
	stdout, stderr io.Writer
	env            []string
	terminal       bool // somebody looks at standard output
	watched        bool // somebody looks at standard error, and lines can be drawn over
	colour         bool
	clock          func() time.Time
	// network is the way out; nil means the real one. The demo puts the
	// sandbox here and changes nothing else.
	network network
	// looksOver is over how long the doctor looks at the edge; 0 means its default.
	looksOver time.Duration

	// signalled is the exit code that a signal asks for, if one came; nil: none can.
	signalled func() (code int, ended bool)
	// printed is the exit code that the printed document says; below 0: none does.
	printed int

	configFile string
	logLevel   string
	output     string
}

// newApp is the app of this process.
func newApp() *app {
	terminal, kind, width := term.IsTerminal(int(os.Stdout.Fd())), os.Getenv("TERM"), os.Getenv("COLUMNS")
	dumb := kind == "" || kind == "dumb"    // nothing says that it knows colours
	_, noColour := os.LookupEnv("NO_COLOR") // https://no-color.org
	return &app{stdout: &output{to: os.Stdout, width: columns(int(os.Stdout.Fd()), width)},
		stderr: &output{to: os.Stderr, width: columns(int(os.Stderr.Fd()), width)}, env: os.Environ(), clock: time.Now,
		terminal: terminal, colour: terminal && !noColour && !dumb,
		watched: !dumb && term.IsTerminal(int(os.Stderr.Fd()))}
}

// root is the command line.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "cfddns",
		Short: "Keep your Cloudflare names pointed at your home",
		Long: `cfddns learns the public address of this home from several independent
operators, publishes it straight into A and AAAA records at Cloudflare when a
quorum agrees, and proves that the world sees it.

It needs a token and names: CLOUDFLARE_API_TOKEN (or CLOUDFLARE_API_TOKEN_FILE)
and CFDDNS_RECORDS=home.example.com in the environment, or cloudflare.token_file
and records: in a configuration file. "cfddns check" says what is missing.
CFDDNS_TYPES=A,AAAA, CFDDNS_PROXIED=true (or false) and CFDDNS_TTL=300 hold for
all names that say nothing else.

See it happen, with nothing needed:  cfddns demo`,
		Example: `  cfddns demo                       the whole story in a sandbox, in ten seconds
  cfddns check                      is everything there that is needed?
  cfddns once --dry-run             what would be changed?
  cfddns run                        the daemon
  cfddns migrate                    which names hop, and what would they become?
  cfddns doctor www.example.com     who is to blame when it does not work?`,
		Version:           versionLine(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              cobra.NoArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.checkFlags() },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "configuration `FILE`; without it $CFDDNS_CONFIG, then\n"+
		"~/.config/cfddns/cfddns.yaml, /etc/cfddns/cfddns.yaml")
	flags.StringVar(&a.logLevel, "log-level", "", "debug, info, warn or error (default: log.level)")
	flags.StringVar(&a.output, "output", "text", "text, or json for scripts")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml", "json", "toml")
	root.AddCommand(a.runCommand(), a.onceCommand(), a.ipCommand(), a.checkCommand(), a.migrateCommand(), a.statusCommand(), a.pokeCommand(),
		a.healthcheckCommand(), a.wafCommand(), a.underAttackCommand(), a.doctorCommand(), a.demoCommand(), a.sandboxCommand(), a.versionCommand())
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) { a.sayHelp(cmd, func() { help(cmd, args) }) })
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Example = "  source <(cfddns completion bash)"
	}
	strictHelp(root)
	for _, command := range root.Commands() {
		if command.HasSubCommands() {
			command.Args, command.RunE = cobra.ArbitraryArgs, onlyBelow
		}
	}
	return root
}

// sayHelp prints what cobra says of a command, in lines that fit.
func (a *app) sayHelp(cmd *cobra.Command, help func()) {
	var text strings.Builder
	cmd.SetOut(&text)
	help()
	cmd.SetOut(a.stdout)
	sayf(a.stdout, "%s", clean(reflowed(text.String(), widthOf(a.stdout))))
}

// strictHelp is cobra's help, but for a word that is no command: it is an error.
func strictHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	command, _, err := root.Find([]string{"help"})
	if err != nil {
		return
	}
	command.Example = "  cfddns help once"
	command.Run, command.RunE = nil, func(_ *cobra.Command, words []string) error {
		about, rest, err := root.Find(words)
		if err != nil || len(rest) > 0 {
			return fmt.Errorf("unknown command %q for %q", strings.Join(words, " "), root.Name())
		}
		about.InitDefaultHelpFlag()
		return about.Help()
	}
}

// onlyBelow is a command that only holds others.
func onlyBelow(command *cobra.Command, words []string) error {
	if len(words) > 0 {
		return fmt.Errorf("unknown command %q for %q", words[0], command.CommandPath())
	}
	return command.Help()
}

// checkFlags refuses values of the shared flags that mean nothing.
func (a *app) checkFlags() error {
	if a.output != "text" && a.output != "json" {
		return fmt.Errorf("--output is %q; write text or json", a.output)
	}
	if _, err := parseLevel(a.logLevel); err != nil {
		return fmt.Errorf("--log-level is %q; write debug, info, warn or error", a.logLevel)
	}
	return nil
}

func (a *app) json() bool { return a.output == "json" }

// load reads the configuration and says what is odd about it.
func (a *app) load() (configs.Config, error) {
	path := configs.Find(a.configFile, a.env)
	cfg, warnings, err := configs.Load(path, a.env)
	for _, w := range warnings {
		sayf(a.stderr, "%s%s\n", warningPrefix, w)
	}
	if err != nil {
		return cfg, exit(ddns.ExitUsage, err)
	}
	return cfg, nil
}

// getenv looks a variable up in the app's environment.
func (a *app) getenv(name string) string {
	for _, v := range a.env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
