package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc/status"
)

// outcome is how a call ended.
type outcome struct {
	payload []byte
	// txID is empty if the call failed before it had one.
	txID string
	err  error
}

// call evaluates or submits a transaction, within the chaincode's time limit. A
// submitted one has succeeded when the peer has committed it as valid.
func (c *chaincode) call(ctx context.Context, kind string, call call) outcome {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	orgs := call.Orgs
	if len(orgs) == 0 && kind == "evaluate" {
		orgs = []string{c.mspID}
	}
	proposal, err := c.contract.NewProposal(call.Args[0], proposalOptions(call, orgs)...)
	if err != nil {
		return outcome{err: err}
	}
	outcome := outcome{txID: proposal.TransactionID()}
	if kind == "evaluate" {
		outcome.payload, outcome.err = proposal.EvaluateWithContext(ctx, c.options...)
	} else {
		outcome.payload, outcome.err = c.submit(ctx, proposal)
	}
	return outcome
}

func proposalOptions(call call, orgs []string) []client.ProposalOption {
	args := make([][]byte, 0, len(call.Args)-1+len(call.Args64))
	for _, arg := range call.Args[1:] {
		args = append(args, []byte(arg))
	}
	options := []client.ProposalOption{client.WithBytesArguments(append(args, call.Args64...)...)}
	if len(call.Transient) > 0 {
		transient := make(map[string][]byte, len(call.Transient))
		for field, value := range call.Transient {
			transient[field] = []byte(value)
		}
		options = append(options, client.WithTransient(transient))
	}
	if len(orgs) > 0 {
		options = append(options, client.WithEndorsingOrganizations(orgs...))
	}
	return options
}

func (c *chaincode) submit(ctx context.Context, proposal *client.Proposal) ([]byte, error) {
	transaction, err := proposal.EndorseWithContext(ctx, c.options...)
	if err != nil {
		return nil, err
	}
	commit, err := transaction.SubmitWithContext(ctx, c.options...)
	if err != nil {
		return nil, err
	}
	committed, err := commit.StatusWithContext(ctx, c.options...)
	if err != nil {
		return nil, err
	}
	if !committed.Successful {
		return nil, fmt.Errorf("committed as invalid: %s", committed.Code)
	}
	return transaction.Result(), nil
}

// describe is an error with the details of the gateway's status: there, and not
// in its text, is what each peer answered.
func describe(err error) string {
	var text strings.Builder
	text.WriteString(err.Error())
	for _, detail := range status.Convert(err).Details() {
		if peer, ok := detail.(*gateway.ErrorDetail); ok {
			fmt.Fprintf(&text, "; %s of %s: %s", peer.GetAddress(), peer.GetMspId(), peer.GetMessage())
		}
	}
	return text.String()
}
