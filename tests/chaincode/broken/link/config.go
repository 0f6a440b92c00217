// Package link is the chaincode's end of the stream to the peer, without the
// shim: it does what the shim does, and lets a program send what the shim
// never would.
package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
)

// config is what the peer's builder tells a chaincode process, in the flag and
// the environment that the Go shim reads (fabric-chaincode-go,
// shim/internal/config.go).
type config struct {
	// address is the peer's chaincode listener, host:port.
	address string
	// packageID is the name to register.
	packageID string
	// tls is nil where the peer has no TLS.
	tls *tls.Config
}

var peerAddress = flag.String("peer.address", "", "host:port of the peer's chaincode listener")

// loadConfig reads the command line and the environment.
func loadConfig() (config, error) {
	flag.Parse()
	c := config{address: *peerAddress, packageID: os.Getenv("CORE_CHAINCODE_ID_NAME")}
	if c.address == "" {
		return c, errors.New("the flag -peer.address is not set")
	}
	if c.packageID == "" {
		return c, errors.New("CORE_CHAINCODE_ID_NAME is not set")
	}
	enabled, err := strconv.ParseBool(os.Getenv("CORE_PEER_TLS_ENABLED"))
	if err != nil {
		return c, fmt.Errorf("CORE_PEER_TLS_ENABLED: %w", err)
	}
	if enabled {
		c.tls, err = loadTLS()
	}
	return c, err
}

func loadTLS() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(os.Getenv("CORE_TLS_CLIENT_CERT_FILE"), os.Getenv("CORE_TLS_CLIENT_KEY_FILE"))
	if err != nil {
		return nil, err
	}
	path := os.Getenv("CORE_PEER_TLS_ROOTCERT_FILE")
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: roots}, nil
}
