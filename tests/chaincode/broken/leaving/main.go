// Command leaving leaves behind what it can: a process that is nobody's child,
// and a directory that not even its owner may write in.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"selvedge.example/broken/link"
)

// What this program is when it has started itself: the process that forks once
// more and ends, and the one that is left.
const (
	between = "between"
	left    = "left"
)

func main() {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	switch role {
	case between:
		fork()
	case left:
		stay()
	default:
		link.Main(map[string]link.Function{"Daemon": daemon, "Close": closed})
	}
}

// daemon answers with what tells a process from all others: its ID, the namespace in which it has
// that ID, and when it began; one that it left behind, in a session of
// its own and with the chaincode's stderr in its hands.
func daemon(tx *link.Transaction) error {
	command, err := itself(between)
	if err != nil {
		return err
	}
	pid, err := command.Output()
	if err != nil {
		return err
	}
	return tx.Answer(string(pid))
}

func fork() {
	command, err := itself(left)
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", command.Process.Pid))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// The second field is a name in parentheses, the 22nd when it began.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	fmt.Print(command.Process.Pid, " ", namespace, " ", fields[19])
}

func stay() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	for {
		time.Sleep(time.Hour)
	}
}

func itself(role string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(program, role)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command, nil
}

// closed leaves a file in directories that nobody may write in.
func closed(tx *link.Transaction) error {
	outer := filepath.Join(os.TempDir(), "closed")
	inner := filepath.Join(outer, "inner")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(inner, "file"), nil, 0o444); err != nil {
		return err
	}
	for _, directory := range []string{inner, outer} {
		if err := os.Chmod(directory, 0o555); err != nil {
			return err
		}
	}
	return tx.Answer(outer)
}
