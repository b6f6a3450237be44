// Command app is the app that the containers of the tests run.
package main

import (
	"fmt"
	"os"

	"github.com/opsctl/opsctl/internal/platform/platformtest"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Println("hello")
		if os.Args[1] == "fail" {
			os.Exit(3)
		}
		if os.Args[1] == "crash" {
			os.Exit(7)
		}
		return
	}
	platformtest.Serve(os.Getenv("IMAGE"))
}
