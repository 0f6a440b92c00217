// Command nocompile does not compile: line 5 names what nothing declares.
package main

func main() {
	undeclared()
}
