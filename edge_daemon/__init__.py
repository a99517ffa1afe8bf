"""Line-side inspection of steel strip: frames in, defects on the coil, alerts in SCADA."""
