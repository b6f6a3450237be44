package envcheck

import "strings"

// requiredByDefault applies the header's @defaultRequired to an item that says nothing itself.
func (s *Schema) requiredByDefault(it *Item) bool {
	switch {
	case it.requiredHere != nil:
		return *it.requiredHere
	case it.imported:
		return true // its own file says nothing
	}
	switch s.DefaultRequired {
	case "true":
		return true
	case "false":
		return false
	}
	v := it.Value // infer: a key with a value of its own must have one
	return v != nil && v.Kind != NodeUndefined && (v.Kind != NodeString || v.Text != "")
}

// IsSensitive reports whether values of the item must never be shown. A
// condition that depends on the environment counts as sensitive.
func (s *Schema) IsSensitive(it *Item) bool {
	switch {
	case it.Public:
		return false
	case it.Sensitive != nil && it.Sensitive.Kind != NodeUndefined:
		return it.Sensitive.Kind != NodeBool || it.Sensitive.Text == "true"
	}
	return s.sensitiveByDefault(it)
}

// sensitiveByDefault applies the header's @defaultSensitive.
func (s *Schema) sensitiveByDefault(it *Item) bool {
	switch {
	case it.secretHere != nil:
		return *it.secretHere
	case it.imported:
		return true
	case s.DefaultSensitive == "prefix":
		return !strings.HasPrefix(it.Key, s.PublicPrefix)
	}
	return s.DefaultSensitive != "false"
}

// SensitiveKey is IsSensitive by name; a key that the schema does not know is sensitive.
func (s *Schema) SensitiveKey(key string) bool {
	it := s.Item(key)
	return it == nil || s.IsSensitive(it)
}
