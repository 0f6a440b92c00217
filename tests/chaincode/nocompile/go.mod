module selvedge.example/nocompile

go 1.24.0
