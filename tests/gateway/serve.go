package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// serve answers the requests, many at a time, until in ends or ctx does.
// Requests under way then come to their end: the result, or ctx's.
func serve(ctx context.Context, chaincode *chaincode, in io.Reader, answers *answers) error {
	lines := make(chan []byte)
	var readError error
	go func() {
		defer close(lines)
		readError = readLines(ctx, in, lines)
	}()

	var underWay sync.WaitGroup
	defer underWay.Wait()
	slots := make(chan struct{}, maxRequests)
	var loads underWayLoads
	for number := 1; ; number++ {
		select {
		case <-ctx.Done():
			return nil
		case line, more := <-lines:
			if !more {
				underWay.Wait()
				if readError != nil {
					return fmt.Errorf("line %d of stdin: %w", number, readError)
				}
				return answers.failed()
			}
			request, err := parse(line)
			if err != nil {
				answers.write(refusal{ID: request.ID, Error: fmt.Sprintf("line %d: %v", number, err)})
				continue
			}
			if request.Op == "stop" {
				if !loads.stop(request.Of) {
					answers.write(refusal{ID: request.ID, Error: fmt.Sprintf("no load %d is under way", request.Of)})
				}
				continue
			}
			slots <- struct{}{}
			going := ctx
			if request.Op == "load" || request.Op == "history" {
				going = loads.begin(ctx, request.ID)
			}
			underWay.Go(func() {
				defer func() { <-slots }()
				answer(ctx, going, chaincode, request, answers)
				loads.stop(request.ID)
			})
		}
	}
}

// readLines sends each line of in, as a copy, until in or ctx ends.
func readLines(ctx context.Context, in io.Reader, lines chan<- []byte) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		select {
		case lines <- bytes.Clone(scanner.Bytes()):
		case <-ctx.Done():
			return nil
		}
	}
	return scanner.Err()
}

// parse reads a request and checks what can be checked without the peer.
func parse(line []byte) (request, error) {
	var request request
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		return request, err
	}
	if decoder.More() {
		return request, fmt.Errorf("more than one request")
	}
	if request.Op == "stop" {
		if len(request.Args) > 0 || request.load != (load{}) || request.history != (history{}) {
			return request, fmt.Errorf("a stop takes nothing but the load that it is of")
		}
		return request, nil
	}
	if request.Op == "history" {
		if len(request.Args) > 0 || request.As != "" {
			return request, fmt.Errorf("a history knows itself what it calls")
		}
		return request, request.history.check(request.load)
	}
	if request.history != (history{}) {
		return request, fmt.Errorf("%s takes none of the fields of a history", request.Op)
	}
	if len(request.Args) == 0 {
		return request, fmt.Errorf("args name no function")
	}
	switch request.Op {
	case "evaluate", "endorse", "submit":
		if request.load != (load{}) {
			return request, fmt.Errorf("%s takes none of the fields of a load", request.Op)
		}
		return request, checkShape(request.As)
	case "load":
		if request.As != "" {
			return request, fmt.Errorf("a load returns no result to be had as %q", request.As)
		}
		return request, request.load.check()
	default:
		return request, fmt.Errorf("no op %q", request.Op)
	}
}

// answer runs a request; a load or a history goes on until more ends.
func answer(ctx, more context.Context, chaincode *chaincode, request request, answers *answers) {
	if request.Op == "load" {
		answers.write(runLoad(ctx, more, chaincode, request, answers))
		return
	}
	if request.Op == "history" {
		verdict, err := runHistory(ctx, more, chaincode, request, answers)
		if err != nil {
			answers.write(refusal{ID: request.ID, Error: err.Error()})
			return
		}
		answers.write(verdict)
		return
	}
	began := time.Now()
	outcome := chaincode.call(ctx, request.Op, request.call)
	ms := float64(time.Since(began).Microseconds()) / 1000
	shaped, err := outcome.shaped(request.As)
	if err != nil {
		answers.write(refusal{ID: request.ID, Error: describe(err), TxID: outcome.txID, MS: ms})
		return
	}
	answers.write(single{ID: request.ID, OK: true, shaped: shaped, TxID: outcome.txID, MS: ms})
}
