// Command prying looks for what is none of its business: files, processes and sockets of the machine
// that it runs on. It answers with what it got, or with "refused: " and the reason.
package main

import (
	"net"
	"os"
	"strconv"
	"syscall"

	"selvedge.example/broken/link"
)

func main() {
	link.Main(map[string]link.Function{
		"Ping":    func(tx *link.Transaction) error { return tx.Answer("pong") },
		"Env":     func(tx *link.Transaction) error { return tx.Answer(os.Getenv(tx.Arg(0, ""))) },
		"Read":    tried(read),
		"Write":   tried(write),
		"Signal":  tried(signal),
		"Trace":   tried(trace),
		"Connect": tried(connect),
	})
}

func tried(try func(what string) (string, error)) link.Function {
	return func(tx *link.Transaction) error {
		got, err := try(tx.Arg(0, ""))
		if err != nil {
			return tx.Answer("refused: " + err.Error())
		}
		return tx.Answer(got)
	}
}

// read returns the content of a file, or the names in a directory.
func read(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err == nil {
		return string(content), nil
	}
	entries, second := os.ReadDir(path)
	if second != nil {
		return "", err
	}
	names := ""
	for _, entry := range entries {
		names += entry.Name() + "\n"
	}
	return names, nil
}

// write appends nothing to a file, which is made if there is none.
func write(path string) (string, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	return "written", file.Close()
}

// signal asks whether a process could be signalled.
func signal(pid string) (string, error) {
	number, err := strconv.Atoi(pid)
	if err != nil {
		return "", err
	}
	return "signalled", syscall.Kill(number, 0)
}

// trace attaches to a process.
func trace(pid string) (string, error) {
	number, err := strconv.Atoi(pid)
	if err != nil {
		return "", err
	}
	return "traced", syscall.PtraceAttach(number)
}

// connect connects to a socket that has a path.
func connect(path string) (string, error) {
	connection, err := net.Dial("unix", path)
	if err != nil {
		return "", err
	}
	return "connected", connection.Close()
}
