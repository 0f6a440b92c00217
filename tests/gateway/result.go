package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"unicode/utf8"
)

// single answers a single call that succeeded.
type single struct {
	ID uint64 `json:"id"`
	OK bool   `json:"ok"`
	shaped
	TxID string  `json:"txid"`
	MS   float64 `json:"ms"`
}

// shaped is a result in the form that the request asked for.
type shaped struct {
	Result *string `json:"result,omitempty"`
	Size   *int    `json:"size,omitempty"`
	SHA256 string  `json:"sha256,omitempty"`
}

// shapes are the forms of a result: "text" as it is (UTF-8, the preset),
// "base64", or, for large ones, only size and digest.
var shapes = map[string]func(payload []byte) (shaped, error){
	"":       text,
	"text":   text,
	"base64": inBase64,
	"digest": digest,
}

func checkShape(as string) error {
	if _, known := shapes[as]; !known {
		return fmt.Errorf("no form %q of a result", as)
	}
	return nil
}

// shaped is the outcome's result in the form as, which checkShape knows.
func (o outcome) shaped(as string) (shaped, error) {
	if o.err != nil {
		return shaped{}, o.err
	}
	return shapes[as](o.payload)
}

func text(payload []byte) (shaped, error) {
	if !utf8.Valid(payload) {
		return shaped{}, fmt.Errorf("the result is not UTF-8: ask for it as base64 or digest")
	}
	result := string(payload)
	return shaped{Result: &result}, nil
}

func inBase64(payload []byte) (shaped, error) {
	result := base64.StdEncoding.EncodeToString(payload)
	return shaped{Result: &result}, nil
}

func digest(payload []byte) (shaped, error) {
	size, sum := len(payload), sha256.Sum256(payload)
	return shaped{Size: &size, SHA256: hex.EncodeToString(sum[:])}, nil
}
