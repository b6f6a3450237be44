package envcheck

import "slices"

// envFlag reports a condition that can never hold. Next.js knows three values of
// NODE_ENV; in a schema whose environment is NODE_ENV, forEnv(staging) is always false.
func (c *checker) envFlag() {
	if c.schema.CurrentEnv != "NODE_ENV" {
		return
	}
	for _, it := range c.schema.Items {
		nodes := []*Node{it.Required, it.Sensitive, it.Value}
		if it.Type != nil {
			for _, n := range it.Type.Opts {
				nodes = append(nodes, n)
			}
		}
		for _, n := range nodes {
			if a := neverEnv(n); a != nil {
				c.add(Finding{File: it.File, Line: a.Pos.Line, Col: a.Pos.Col, Rule: "node-env-flag", Level: Warning, Key: it.Key,
					Message: "forEnv(" + a.Text + ") never holds: the environment is NODE_ENV, and Next.js runs with development, production or test only",
					Fix:     "add APP_ENV to the schema, write @currentEnv=$APP_ENV in its header, and set it where the app runs"})
			}
		}
	}
}

// neverEnv finds an environment in a forEnv() that NODE_ENV is never set to.
func neverEnv(n *Node) *Node {
	if n == nil {
		return nil
	}
	for _, a := range n.Args {
		if n.Kind == NodeCall && n.Text == "forEnv" && isText(a.Value) && !slices.Contains([]string{"development", "production", "test"}, a.Value.Text) {
			return a.Value
		}
		if found := neverEnv(a.Value); found != nil {
			return found
		}
	}
	return nil
}
