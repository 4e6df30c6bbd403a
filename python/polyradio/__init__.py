"""polyradio: one Wi-Fi NIC shared by many virtual machines."""
