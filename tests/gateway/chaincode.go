package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
)

// chaincode is one chaincode on one channel, reached through one connection to
// one peer.
type chaincode struct {
	connection *grpc.ClientConn
	gateway    *client.Gateway
	contract   *client.Contract
	mspID      string
	timeout    time.Duration
	// options are those of every gRPC call.
	options []grpc.CallOption
}

// patient is the same chaincode, for calls that wait while the peer cannot be
// reached and do not fail at once: a load over a peer's restart is not spent on
// refused connections.
func (c *chaincode) patient() *chaincode {
	patient := *c
	patient.options = []grpc.CallOption{grpc.WaitForReady(true)}
	return &patient
}

// connect reads the files of the command line and connects to the peer, within
// connectTimeout.
func connect(ctx context.Context, o options) (*chaincode, error) {
	id, sign, err := loadIdentity(o)
	if err != nil {
		return nil, err
	}
	connection, err := dial(ctx, o)
	if err != nil {
		return nil, err
	}
	gateway, err := client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(connection))
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	contract := gateway.GetNetwork(o.channel).GetContract(o.chaincode)
	return &chaincode{
		connection: connection, gateway: gateway, contract: contract, mspID: o.mspID, timeout: o.timeout,
	}, nil
}

func (c *chaincode) close() {
	_ = c.gateway.Close()
	_ = c.connection.Close()
}

func loadIdentity(o options) (identity.Identity, identity.Sign, error) {
	pem, err := os.ReadFile(o.cert)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := identity.CertificateFromPEM(pem)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", o.cert, err)
	}
	id, err := identity.NewX509Identity(o.mspID, certificate)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", o.cert, err)
	}
	if pem, err = os.ReadFile(o.key); err != nil {
		return nil, nil, err
	}
	key, err := identity.PrivateKeyFromPEM(pem)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", o.key, err)
	}
	sign, err := identity.NewPrivateKeySign(key)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", o.key, err)
	}
	return id, sign, nil
}

func dial(ctx context.Context, o options) (*grpc.ClientConn, error) {
	pem, err := os.ReadFile(o.tlsCA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", o.tlsCA)
	}
	connection, err := grpc.NewClient(o.endpoint,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: o.tlsName,
		})),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithNoProxy(),
	)
	if err != nil {
		return nil, err
	}
	if err := waitUntilReady(ctx, connection); err != nil {
		_ = connection.Close()
		return nil, fmt.Errorf("connecting to %s: %w", o.endpoint, err)
	}
	return connection, nil
}

func waitUntilReady(ctx context.Context, connection *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	connection.Connect()
	for state := connection.GetState(); state != connectivity.Ready; state = connection.GetState() {
		if !connection.WaitForStateChange(ctx, state) {
			return fmt.Errorf("%w, the connection is in %s", ctx.Err(), state)
		}
	}
	return nil
}
