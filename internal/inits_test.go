package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Every command waits for what its packages do at their start.
func TestNoExpressionIsCompiledAtStart(t *testing.T) {
	for _, top := range []string{"../cmd", "../sdk", "."} {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files := token.NewFileSet()
			source, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, at := range compiledAtStart(source) {
				t.Errorf("%s: use pattern.New", files.Position(at))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// compiledAtStart returns where a file's variables, and not its functions, compile
// regular expressions.
func compiledAtStart(source *ast.File) (found []token.Pos) {
	for _, d := range source.Decls {
		if _, isFunction := d.(*ast.FuncDecl); isFunction {
			continue
		}
		ast.Inspect(d, func(n ast.Node) bool {
			s, isSelector := n.(*ast.SelectorExpr)
			if isSelector && s.Sel.Name == "MustCompile" {
				found = append(found, s.Pos())
			}
			_, isFunction := n.(*ast.FuncLit)
			return !isFunction
		})
	}
	return found
}
