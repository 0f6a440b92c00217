package main

import "time"

// Every bound of the program.
const (
	// maxMessage is the size of a gRPC message in bytes, both ways: a peer's own
	// limit.
	maxMessage = 100 << 20
	// maxLine is the size of a request in bytes: a message of maxMessage in
	// base64, and something around it.
	maxLine = maxMessage/3*4 + 1<<20
	// maxRequests is how many requests may be under way; the next is not read
	// before one of them is answered.
	maxRequests = 256
	// maxTimeout is the longest limit that a call may be given.
	maxTimeout = 10 * time.Minute
	// connectTimeout is the limit for the connection to the peer.
	connectTimeout = 10 * time.Second

	// maxClients, maxCalls and maxSeconds bound a load.
	maxClients = 1024
	maxCalls   = 10_000_000
	maxSeconds = 3600
	// maxKeys and maxHistorySeconds bound a history, so that it can be judged.
	maxKeys           = 1024
	maxHistorySeconds = 120
	// judgeTimeout bounds the judgement of one key.
	judgeTimeout = 30 * time.Second
	// forever is later than any history ends.
	forever = 24 * time.Hour
	// maxErrors is how many distinct error texts a load keeps; the failures with
	// yet others are counted together.
	maxErrors = 64
	// maxFailureLines is how many failures of one load are reported as they
	// happen.
	maxFailureLines = 10_000
	// maxExcerpt is how much of a result that was not expected is shown, in bytes.
	maxExcerpt = 256
)
