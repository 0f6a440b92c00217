// Command gateway calls a chaincode through a peer's Fabric Gateway service, for
// tests and benchmarks: requests come as JSON lines on stdin, answers go as
// JSON lines to stdout. README.md describes the lines.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	options, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2) // the flag package has said why
	}
	if err := run(ctx, options, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "gateway: %v\n", err)
		stop()
		os.Exit(1)
	}
}

// options is the command line.
type options struct {
	endpoint, tlsCA, tlsName string
	mspID, cert, key         string
	channel, chaincode       string
	timeout                  time.Duration
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.StringVar(&o.endpoint, "endpoint", "", "`host:port` of the peer")
	flags.StringVar(&o.tlsCA, "tls-ca", "", "PEM `file` with the CA of the peer's TLS certificate")
	flags.StringVar(&o.tlsName, "tls-name", "", "`host` to expect in that certificate, if it is not the endpoint's")
	flags.StringVar(&o.mspID, "msp-id", "", "MSP `ID` of the client; evaluate asks only this organisation's peers")
	flags.StringVar(&o.cert, "cert", "", "PEM `file` with the client's certificate")
	flags.StringVar(&o.key, "key", "", "PEM `file` with the client's private key")
	flags.StringVar(&o.channel, "channel", "", "`name` of the channel")
	flags.StringVar(&o.chaincode, "chaincode", "", "`name` of the chaincode")
	flags.DurationVar(&o.timeout, "timeout", time.Minute, "limit for one call, from the proposal to its result or commit status")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	err := o.check(flags.Args())
	if err != nil {
		fmt.Fprintf(flags.Output(), "gateway: %v\n", err)
	}
	return o, err
}

func (o options) check(rest []string) error {
	required := []struct{ name, value string }{
		{"endpoint", o.endpoint}, {"tls-ca", o.tlsCA}, {"msp-id", o.mspID}, {"cert", o.cert},
		{"key", o.key}, {"channel", o.channel}, {"chaincode", o.chaincode},
	}
	for _, flag := range required {
		if flag.value == "" {
			return fmt.Errorf("the flag --%s is required", flag.name)
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	if o.timeout <= 0 || o.timeout > maxTimeout {
		return fmt.Errorf("--timeout %s is not in 0..%s", o.timeout, maxTimeout)
	}
	return nil
}

// run connects, says so, and serves the requests until there are no more.
func run(ctx context.Context, o options, in io.Reader, out io.Writer) error {
	chaincode, err := connect(ctx, o)
	if err != nil {
		return err
	}
	defer chaincode.close()
	answers := &answers{out: out}
	answers.write(ready{Event: "ready"})
	return serve(ctx, chaincode, in, answers)
}
