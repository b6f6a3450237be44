package errs

import "testing"

func TestClosest(t *testing.T) {
	commands := []string{"backup", "config", "deploy", "env", "health", "history", "init", "status"}
	tests := []struct{ word, want string }{
		{"deplyo", "deploy"}, {"helth", "health"}, {"stauts", "status"}, {"bakcup", "backup"},
		{"xyz", ""}, {"", ""}, {"evn", "env"}, {"deploy", "deploy"},
	}
	for _, tt := range tests {
		if got := Closest(tt.word, commands); got != tt.want {
			t.Errorf("Closest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}
