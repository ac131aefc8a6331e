; Front of the BIOS stand-in boot manager (the sample image's \Windows\Boot\PCAT\bootmgr).
;
; The file is loaded to 2000:0000 by a partition boot record and entered there
; with the drive number in DL. This front checks that it was loaded whole and the
; way Windows's own boot manager expects, then puts GRUB's core image, which
; follows it in the file, to 0:8200 (GRUB_BOOT_MACHINE_KERNEL_ADDR + 200h, where
; GRUB's diskboot.img would have put it) and starts it with DL kept.
;
; File: this front (FRONT bytes, header filled in by the builder), the core image
; without its first sector (diskboot.img), filler. Length in whole paragraphs.
;
; Build: nasm -f bin -o bootmgr.bin bootmgr.asm

        bits    16
        cpu     386
        org     0

LOAD_SEGMENT    equ     0x2000
CORE_SEGMENT    equ     0x0820
COPIER          equ     0x0600          ; the copy loop must not lie where it copies to

        jmp     near start
        db      "SPK", 0, 0
sum_paragraphs  dd      0               ; 8: paragraphs behind this header
sum_value       dd      0               ; 12: their sum, see below
core_paragraphs dd      0               ; 16: length of the core image
        times   32 - ($ - $$) db 0

start:
        cld
        ; What a boot manager expects of its boot record.
        mov     si, msg_registers
        cmp     bp, 0x7c00
        jne     fail
        mov     ax, ss
        test    ax, ax
        jnz     fail
        mov     si, msg_drive
        cmp     [bp + 0x40], dl         ; BS_DrvNum; BP addresses through SS = 0
        jne     fail
        mov     si, msg_bpb
        cmp     dword [bp + 0x1c], 0    ; hidden sectors
        je      fail
        cmp     word [bp + 0x1fe], 0xaa55
        jne     fail

        ; Was it loaded whole and in order? sum = rotate-left(sum) + dword
        mov     cx, [cs:sum_paragraphs]
        mov     ax, LOAD_SEGMENT + 2
        xor     ebx, ebx
.paragraph:
        mov     ds, ax
        xor     si, si
.dword:
        rol     ebx, 1
        add     ebx, [si]
        add     si, 4
        cmp     si, 16
        jb      .dword
        inc     ax
        loop    .paragraph
        mov     si, msg_sum
        cmp     ebx, [cs:sum_value]
        jne     fail

        ; Run the copy loop from low memory.
        mov     bp, [cs:core_paragraphs]
        push    cs
        pop     ds
        xor     ax, ax
        mov     es, ax
        mov     si, copier
        mov     di, COPIER
        mov     cx, copier_end - copier
        rep     movsb
        jmp     0:COPIER

; copier moves BP paragraphs down to CORE_SEGMENT, lowest first.
copier:
        mov     ax, LOAD_SEGMENT + (FRONT >> 4)
        mov     bx, CORE_SEGMENT
.paragraph:
        mov     ds, ax
        mov     es, bx
        xor     si, si
        xor     di, di
        mov     cx, 4
        rep     movsd
        inc     ax
        inc     bx
        dec     bp
        jnz     .paragraph
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        jmp     0:CORE_SEGMENT << 4
copier_end:

fail:
        push    cs
        pop     ds
        push    si
        mov     si, msg_prefix
        call    print
        pop     si
        call    print
.halt:
        hlt
        jmp     short .halt

print:
        lodsb
        test    al, al
        jz      .end
        mov     ah, 0x0e
        mov     bx, 7
        int     0x10
        jmp     short print
.end:
        ret

msg_prefix      db 13, 10, "STICKPRESS-BOOT firmware=bios error=", 0
msg_registers   db "registers", 13, 10, 0
msg_drive       db "drive", 13, 10, 0
msg_bpb         db "bpb", 13, 10, 0
msg_sum         db "checksum", 13, 10, 0

        align   512, db 0
FRONT           equ     $ - $$
