package drive

// ReadMedium asks a disk for what an empty slot does not have: its size, the
// size of its logical sectors (512, or 4096 of a 4Kn disk), whether it may be
// written, and its partition table as Windows has read it. An empty slot has 0
// bytes, and is no error.
func (d *Drive) ReadMedium(ask Ask) error {
	raw, err := ask(GetGeometry, nil, 256)
	if NoMedium(err) {
		d.SectorSize = 512
		return nil
	}
	if err != nil {
		return err
	}
	g, err := DecodeGeometry(raw)
	if err != nil {
		return err
	}
	d.Bytes, d.SectorSize = g.Bytes, g.SectorSize
	_, err = ask(IsWritable, nil, 1)
	d.ReadOnly = err != nil && !Gone(err)
	if raw, err = ask(GetLayout, nil, 0); err == nil {
		d.Layout, err = DecodeLayout(raw)
	}
	return err
}
