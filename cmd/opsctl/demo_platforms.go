package main

import "context"

// elsewhere: the same repository, the same commands, two other platforms.
func (d *demo) elsewhere(ctx context.Context) error {
	for _, name := range []string{"railway", "render"} {
		command := "opsctl deploy --platform " + name + ` --image "$FLY_REGISTRY_HOST/erp:1.0"`
		for _, step := range []string{command, command, "opsctl status --platform " + name} {
			if err := d.sh(ctx, 0, step); err != nil {
				return err
			}
		}
	}
	d.proved("the same repository went to Railway and to Render, with the same commands")
	return nil
}
