package secret

import (
	"crypto/rand"
	"math/big"
	"strings"
)

// prefixes begin values whose programs look at that, and say nothing but whose
// they are. Of those that fit, the longest counts.
var prefixes = []string{
	"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-", "sk-", "sk-ant-", "sk-ant-api03-", "sk-ant-oat01-", "sk-proj-",
	"sk-or-v1-", "sk_live_", "sk_test_", "pk_live_", "pk_test_", "rk_live_", "rk_test_", "whsec_", "xoxb-", "xoxp-", "xoxa-", "xoxe-", "xapp-",
	"npm_", "pypi-", "hf_", "AKIA", "ASIA", "AIza", "ya29.", "dckr_pat_", "dop_v1_", "shpat_", "shpss_", "SG.", "key-", "lin_api_", "ntn_", "secret_",
	"figd_", "sntrys_", "tskey-", "hvs.", "r8_", "gsk_", "xai-", "nvapi-", "pplx-", "eyJ", "ATATT3xFfGF0", "PMAK-", "rubygems_",
}

// minRandom is how many characters of a placeholder are random at the least, so
// that nobody has it by chance and no text has it in it.
const minRandom = 16

// NewPlaceholder makes what stands for a value in the guest: of the same length,
// with letters and digits where it has them, and beginning as values of its kind
// do. Of a value that is too short for that it has the beginning only.
func NewPlaceholder(v Value) string {
	prefix := ""
	for _, p := range prefixes {
		if strings.HasPrefix(v.text, p) && len(p) > len(prefix) && len(v.text) > len(p) {
			prefix = p
		}
	}
	out := []byte(prefix)
	changed := 0
	for _, c := range []byte(v.text[len(prefix):]) {
		of := classOf(c)
		if of != "" {
			changed++
			c = pick(of)
		}
		out = append(out, c)
	}
	for ; changed < minRandom; changed++ {
		out = append(out, pick(lower+digits))
	}
	return string(out)
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// classOf is what may stand for a byte; "" is the byte itself: what parts a
// token's pieces is a part of its form.
func classOf(c byte) string {
	switch {
	case c >= 'a' && c <= 'z':
		return lower
	case c >= 'A' && c <= 'Z':
		return upper
	case c >= '0' && c <= '9':
		return digits
	case strings.IndexByte("-_.=/+:~", c) >= 0:
		return ""
	}
	return lower // any other is no form, but a part of a password
}

func pick(of string) byte {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(len(of))))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return of[n.Int64()]
}
