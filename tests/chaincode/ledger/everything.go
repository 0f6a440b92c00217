package main

// A transaction that asks its peer for everything that a chaincode can ask for, and
// loses its process on the way.

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
)

// journey is such a transaction, step by step.
type journey struct {
	stub
	// told is the digest of what the peer said.
	told hash.Hash
	step int
	// end is the step after which the process ends, if it did not before: then there is
	// this file.
	end  int
	file string
}

// everything asks for everything, and returns how many steps that took and the digest of
// all that it was told. After the given step (none is 0) its process ends, once for each
// file name.
func everything(stub stub, args []string) ([]byte, error) {
	end, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	file := filepath.Clean(args[1])
	j := &journey{stub: stub, told: sha256.New(), end: end, file: file}
	for _, part := range []func(*journey) error{
		(*journey).state, (*journey).queries, (*journey).metadata, (*journey).private,
		(*journey).others, (*journey).batches,
	} {
		if err := part(j); err != nil {
			return nil, err
		}
	}
	return fmt.Appendf(nil, "%d %x", j.step, j.told.Sum(nil)), nil
}

// took takes a step, in which the peer has said this; that it refused is as good.
func (j *journey) took(said []byte, refused error) error {
	j.step++
	// A peer's refusal names the transaction.
	fmt.Fprintf(j.told, "%d %q %t\n", j.step, said, refused != nil)
	if j.step != j.end {
		return nil
	}
	file, err := os.OpenFile(j.file, os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	file.Close()
	fmt.Fprintf(os.Stderr, "ledger: ends after step %d\n", j.step)
	os.Exit(42)
	return nil
}

func (j *journey) state() error {
	return errors.Join(
		j.took(j.GetState("range-00001")),
		j.took(nil, j.PutState("everything", []byte("put"))),
		j.took(nil, j.DelState("range-00002")),
		j.took(values(j.GetMultipleStates("range-00001", "range-00003", "none"))),
	)
}

// queries reads more than a peer sends at once, and stops amid another query.
func (j *journey) queries() error {
	results, err := j.GetStateByRange("range-", "range-~")
	if err != nil {
		return err
	}
	err = j.read(results, results.HasNext, func() ([]byte, error) {
		result, err := results.Next()
		return result.GetValue(), err
	})
	history, refused := j.GetHistoryForKey("range-00001")
	if refused != nil {
		return errors.Join(err, j.took(nil, refused))
	}
	err = errors.Join(err, j.read(history, history.HasNext, func() ([]byte, error) {
		change, err := history.Next()
		return change.GetValue(), err
	}))
	left, refused := j.GetStateByRange("range-", "range-~")
	err = errors.Join(err, j.took(nil, refused))
	if refused == nil {
		err = errors.Join(err, left.Close())
	}
	_, refused = j.GetQueryResult(`{"selector":{}}`)
	return errors.Join(err, j.took(nil, refused))
}

// read takes a step at its begin, amid it and at its end.
func (j *journey) read(results shim.CommonIteratorInterface, more func() bool, next func() ([]byte, error)) error {
	const amid = 150
	err := j.took(nil, nil)
	for count := 1; more(); count++ {
		value, failed := next()
		if failed != nil {
			return failed
		}
		j.told.Write(value)
		if count == amid {
			err = errors.Join(err, j.took(value, nil))
		}
	}
	return errors.Join(err, j.took(nil, results.Close()))
}

func (j *journey) metadata() error {
	policy, err := j.GetStateValidationParameter("range-00003")
	return errors.Join(
		j.took(policy, err),
		j.took(nil, j.SetStateValidationParameter("range-00003", []byte("a policy"))),
	)
}

func (j *journey) private() error {
	const secrets = "secrets"
	_, refused := j.GetPrivateDataByRange(secrets, "a", "z")
	return errors.Join(
		j.took(j.GetPrivateData(secrets, "kept")),
		j.took(j.GetPrivateDataHash(secrets, "kept")),
		j.took(nil, j.PutPrivateData(secrets, "new", []byte("private"))),
		j.took(nil, j.DelPrivateData(secrets, "kept")),
		j.took(nil, j.PurgePrivateData(secrets, "gone")),
		j.took(nil, j.SetPrivateDataValidationParameter(secrets, "new", []byte("a policy"))),
		j.took(j.GetPrivateDataValidationParameter(secrets, "new")),
		// Not after a write.
		j.took(nil, refused),
	)
}

func (j *journey) others() error {
	sum, refused := call(j, "other", "", []string{"Add", "everything", "1"})
	return errors.Join(j.took(sum, refused), j.SetEvent("everything", []byte("asked for")))
}

// batches writes more than a peer takes at once.
func (j *journey) batches() error {
	const writes = 250
	j.StartWriteBatch()
	for number := range writes {
		if err := j.PutState(fmt.Sprintf("batch-%04d", number), []byte(strconv.Itoa(number))); err != nil {
			return err
		}
	}
	err := errors.Join(j.DelState("range-00004"), j.FinishWriteBatch())
	return errors.Join(
		j.took(nil, err),
		j.took(nil, j.PutState("everything", []byte("put again"))),
	)
}

func values(values [][]byte, err error) ([]byte, error) {
	return fmt.Appendf(nil, "%q", values), err
}
