package envcheck

// Schema is a parsed .env.schema.
type Schema struct {
	Name    string
	Header  []Decorator // root decorators
	Rules   []Rule      // ignore rules of the header: they hold for the whole schema
	Items   []*Item
	Blocks  []Block // everything in file order, for rendering
	Imports []Import

	CurrentEnv       string // key that names the environment, "" for none
	DefaultRequired  string // true, false or infer
	DefaultSensitive string // true, false or prefix
	PublicPrefix     string // with DefaultSensitive prefix: keys that are not sensitive
	byKey            map[string]*Item
	redefined        []*Item // imported items that give the environment's key another value
}

// Item finds the item of a key.
func (s *Schema) Item(key string) *Item { return s.byKey[key] }

// Keys lists the keys in file order.
func (s *Schema) Keys() []string {
	keys := make([]string, len(s.Items))
	for i, it := range s.Items {
		keys[i] = it.Key
	}
	return keys
}

// Item is one variable of the contract.
type Item struct {
	Key         string
	File        string // the schema file it stands in
	Pos         Pos    // of the key
	Value       *Node  // default; nil for none
	ValuePos    Pos
	Description []string // plain comment lines above it
	Decorators  []Decorator
	Rules       []Rule

	Type       *Type
	Required   *Node // condition of @required; nil when not said
	Optional   bool
	Sensitive  *Node // condition of @sensitive; nil when not said
	Public     bool
	Example    *Node
	Docs       []string
	Tags       []string
	Deprecated string // message, "deprecated" when none was given, "" when not

	secret    *Node       // condition of @public=... under which the item is declared a secret
	opposite  bool        // Required is not() of what @optional says
	inherited []Decorator // of an imported definition of the same key

	// For what is imported, or has an imported definition: what the nearest header decides that says anything.
	imported     bool
	merged       bool   // another definition of the key was filled in
	valueFile    string // the file in which Value stands, "" for File
	requiredHere *bool
	secretHere   *bool
}

// Decorator is an @name, @name=value or @name(args) of a comment.
type Decorator struct {
	Name  string
	Pos   Pos
	Value *Node // of @name=value and @name(args) (a call); nil for a bare @name
	Call  bool
	file  string // of an inherited one: where it stands
}

// Rule is a rule of opsctl's own that rides in a plain comment: `# opsctl: pair=KEY, pooled`.
type Rule struct {
	Name   string
	Value  string
	Reason string // of ignore=RULE reason
	Pos    Pos
}

// Import is an @import(path, ...) of another local schema file.
type Import struct {
	Path         string
	Pick, Omit   []string
	AllowMissing bool
	Enabled      *Node
	Pos          Pos
}

// BlockKind is the kind of a Block.
type BlockKind int

// The kinds of blocks.
const (
	BlockComment BlockKind = iota // comment lines that belong to no item
	BlockDivider
	BlockItem
)

// Block is a piece of the schema in file order.
type Block struct {
	Kind   BlockKind
	Lines  []string // of a comment: its plain lines without "# "; of a divider: the line as written
	Item   *Item
	Gap    bool // a blank line stands before it
	Header bool // before the first item
}

// Type is a declared type with its options.
type Type struct {
	Name   string
	Pos    Pos
	Values []*Node // of enum
	Elem   *Type   // of array and record
	Key    *Type   // of record
	Opts   map[string]*Node

	secret *Node // condition under which its item was declared sensitive; nil for none
}
