import Aviary
