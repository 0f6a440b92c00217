// Command nomodule is sound Go in a directory without a go.mod.
package main

func main() {}
