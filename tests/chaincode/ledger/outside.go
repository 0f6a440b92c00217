package main

// What lies outside the state: events, other chaincodes, and the process that
// the contract runs in.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
)

// maxFlood bounds what one Flood prints, in bytes.
const maxFlood = 64 << 20

func event(stub stub, args []string) ([]byte, error) {
	return nil, stub.SetEvent(args[0], []byte(args[1]))
}

// callOther calls a chaincode, on the channel of this transaction if the
// channel is empty, and returns its payload.
func callOther(stub stub, args []string) ([]byte, error) {
	return call(stub, args[0], args[1], args[2:])
}

func call(stub stub, chaincode, channel string, args []string) ([]byte, error) {
	bytes := make([][]byte, len(args))
	for i, arg := range args {
		bytes[i] = []byte(arg)
	}
	response := stub.InvokeChaincode(chaincode, bytes, channel)
	if response.GetStatus() != shim.OK {
		// A peer's own refusal comes in the payload, a chaincode's in the message. An ERROR comes
		// in the payload too, as the whole message that it was, which is no text.
		payload := strings.ToValidUTF8(string(response.GetPayload()), "?")
		return nil, fmt.Errorf("%s: %s%s", chaincode, response.GetMessage(), payload)
	}
	return response.GetPayload(), nil
}

// instead is what came of two calls.
type instead struct {
	// Failure is how the first one failed.
	Failure string `json:"failure"`
	// Payload is what the second one returned.
	Payload string `json:"payload"`
}

// callInstead makes a call (a JSON array of the function's name and its arguments)
// of a chaincode and, when that has failed, the other one in its place: in the same
// transaction, which the peer begins at that chaincode a second time.
func callInstead(stub stub, args []string) ([]byte, error) {
	var calls [2][]string
	for i := range calls {
		if err := json.Unmarshal([]byte(args[1+i]), &calls[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", args[1+i], err)
		}
	}
	if _, err := call(stub, args[0], "", calls[0]); err != nil {
		payload, second := call(stub, args[0], "", calls[1])
		if second != nil {
			return nil, fmt.Errorf("%w; and then %w", err, second)
		}
		return json.Marshal(instead{err.Error(), string(payload)})
	}
	return nil, fmt.Errorf("%s has not failed", args[1])
}

func logLine(_ stub, args []string) ([]byte, error) {
	_, err := fmt.Fprintln(os.Stderr, args[0])
	return nil, err
}

// flood prints lines of width characters to stderr, each begun by its number
// ("1 xxxx") as far as the width allows.
func flood(_ stub, args []string) ([]byte, error) {
	lines, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	width, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, err
	}
	if lines < 0 || lines > maxFlood || width < 0 || width > maxFlood || lines*(width+1) > maxFlood {
		return nil, fmt.Errorf("%d lines of %d are not in 0..%d bytes", lines, width, maxFlood)
	}
	filler := strings.Repeat("x", width)
	for i := 1; i <= lines; i++ {
		line := strconv.Itoa(i) + " " + filler
		if _, err := fmt.Fprintln(os.Stderr, line[:width]); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// pid returns what tells this process from all others, whatever namespace it is in: its ID, the
// namespace in which it has that ID, and when it began, in ticks since the machine did.
func pid(stub, []string) ([]byte, error) {
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return nil, err
	}
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return nil, err
	}
	// The second field is a name in parentheses, the 22nd when it began.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return fmt.Appendf(nil, "%d %s %s", os.Getpid(), namespace, fields[19]), nil
}

// env returns an environment variable; one that is not set is an error.
func env(_ stub, args []string) ([]byte, error) {
	value, set := os.LookupEnv(args[0])
	if !set {
		return nil, fmt.Errorf("%s is not set", args[0])
	}
	return []byte(value), nil
}

// in returns the transaction's time in a zone of the world, such as "Asia/Seoul".
func in(stub stub, args []string) ([]byte, error) {
	zone, err := time.LoadLocation(args[0])
	if err != nil {
		return nil, err
	}
	timestamp, err := stub.GetTxTimestamp()
	if err != nil {
		return nil, err
	}
	return []byte(timestamp.AsTime().In(zone).Format(time.RFC3339)), nil
}

// dial sends a packet of a protocol (tcp) to an address and says "open" if it
// was accepted within so many milliseconds; otherwise it is an error.
func dial(_ stub, args []string) ([]byte, error) {
	limit, err := delay(args[2])
	if err != nil {
		return nil, err
	}
	connection, err := net.DialTimeout(args[0], args[1], limit)
	if err != nil {
		return nil, err
	}
	return []byte("open"), connection.Close()
}

// listen accepts connections at an address from now on, and returns the address
// by which others know this host, with the port.
func listen(_ stub, args []string) ([]byte, error) {
	listener, err := net.Listen(args[0], args[1])
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connection.Close()
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	addresses, err := net.LookupHost(host)
	if err != nil {
		return nil, err
	}
	return []byte(net.JoinHostPort(addresses[0], port)), nil
}

// lookUp returns the first address of a host name, from a server of names at an
// address if one is given.
func lookUp(_ stub, args []string) ([]byte, error) {
	resolver := net.DefaultResolver
	if len(args) > 1 {
		ask := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, args[1])
		}
		resolver = &net.Resolver{PreferGo: true, Dial: ask}
	}
	addresses, err := resolver.LookupHost(context.Background(), args[0])
	if err != nil {
		return nil, err
	}
	return []byte(addresses[0]), nil
}

// file returns the content of a file.
func file(_ stub, args []string) ([]byte, error) {
	return os.ReadFile(args[0])
}

// files returns the files that match a pattern, a line each.
func files(_ stub, args []string) ([]byte, error) {
	paths, err := filepath.Glob(args[0])
	return []byte(strings.Join(paths, "\n")), err
}

// write makes a file and removes it again.
func write(_ stub, args []string) ([]byte, error) {
	if err := os.WriteFile(args[0], []byte(time.Now().String()), 0o600); err != nil {
		return nil, err
	}
	return nil, os.Remove(args[0])
}
