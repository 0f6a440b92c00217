package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// outcome is how a call ended.
type outcome struct {
	payload []byte
	// txID is empty if the call failed before it had one.
	txID string
	err  error
}

// call evaluates, endorses or submits a transaction, within the chaincode's time limit.
// What is returned of one that is endorsed is its read-write set; a submitted one has
// succeeded when the peer has committed it as valid.
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
	switch kind {
	case "evaluate":
		outcome.payload, outcome.err = proposal.EvaluateWithContext(ctx, c.options...)
	case "endorse":
		outcome.payload, outcome.err = c.readWriteSet(ctx, proposal)
	default:
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

// readWriteSet is what a transaction has read and written, as its endorsers signed it.
func (c *chaincode) readWriteSet(ctx context.Context, proposal *client.Proposal) ([]byte, error) {
	endorsed, err := proposal.EndorseWithContext(ctx, c.options...)
	if err != nil {
		return nil, err
	}
	encoded, err := endorsed.Bytes()
	if err != nil {
		return nil, err
	}
	prepared := &gateway.PreparedTransaction{}
	if err := proto.Unmarshal(encoded, prepared); err != nil {
		return nil, err
	}
	payload, transaction := &common.Payload{}, &peer.Transaction{}
	if err := proto.Unmarshal(prepared.GetEnvelope().GetPayload(), payload); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(payload.GetData(), transaction); err != nil {
		return nil, err
	}
	if len(transaction.GetActions()) != 1 {
		return nil, fmt.Errorf("%d actions instead of one", len(transaction.GetActions()))
	}
	proposed := &peer.ChaincodeActionPayload{}
	if err := proto.Unmarshal(transaction.GetActions()[0].GetPayload(), proposed); err != nil {
		return nil, err
	}
	response, action := &peer.ProposalResponsePayload{}, &peer.ChaincodeAction{}
	if err := proto.Unmarshal(proposed.GetAction().GetProposalResponsePayload(), response); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(response.GetExtension(), action); err != nil {
		return nil, err
	}
	return action.GetResults(), nil
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
		return nil, invalid{committed.Code}
	}
	return transaction.Result(), nil
}

// invalid says of a transaction that the peer has committed it without its effects.
type invalid struct{ code peer.TxValidationCode }

func (i invalid) Error() string { return fmt.Sprintf("committed as invalid: %s", i.code) }

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
