package envcheck

// varlockTraps are hand-picked schemas.
func varlockTraps() []varlockCase { return nil }
